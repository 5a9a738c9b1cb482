-- What changed and has not been confirmed yet by the back end that pulls it: one row per entity and id, the newest
-- payload letter by letter.
CREATE TABLE pulso_outbox (
    tenant     TEXT    NOT NULL,
    entity     TEXT    NOT NULL CHECK (entity IN ('order', 'customer')),
    id         TEXT    NOT NULL,
    -- From pulso_outbox_version, anew with every change; never used twice.
    version    INTEGER NOT NULL,
    payload    TEXT    NOT NULL,
    -- The version that was handed out last.
    pulled     INTEGER,
    changed_at INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (tenant, entity, id)
);

-- Oldest change first.
CREATE UNIQUE INDEX pulso_outbox_oldest ON pulso_outbox (tenant, version);

-- The last version given: one row, which outlives the changes.
CREATE TABLE pulso_outbox_version (last INTEGER NOT NULL);
INSERT INTO pulso_outbox_version VALUES (0);
