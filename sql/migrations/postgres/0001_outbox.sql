-- What changed and has not been confirmed yet by the back end that pulls it: one row per entity and id, the newest
-- payload letter by letter.
CREATE SEQUENCE pulso_outbox_version;

CREATE TABLE pulso_outbox (
    tenant     text        NOT NULL,
    entity     text        NOT NULL CHECK (entity IN ('order', 'customer')),
    id         text        NOT NULL,
    -- From the sequence, anew with every change; never used twice.
    version    bigint      NOT NULL,
    payload    text        NOT NULL,
    -- The version that was handed out last.
    pulled     bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, entity, id)
);

-- Oldest change first.
CREATE UNIQUE INDEX pulso_outbox_oldest ON pulso_outbox (tenant, version);
