-- How calls with an Idempotency-Key were answered.
CREATE TABLE pulso_idempotency (
    path        TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    status      INTEGER NOT NULL,
    body        TEXT    NOT NULL,
    answered_at INTEGER NOT NULL DEFAULT (unixepoch()),
    PRIMARY KEY (path, key)
);

-- The oldest are forgotten.
CREATE INDEX pulso_idempotency_age ON pulso_idempotency (answered_at);
