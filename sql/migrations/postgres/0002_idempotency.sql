-- How calls with an Idempotency-Key were answered.
CREATE TABLE pulso_idempotency (
    path        text        NOT NULL,
    key         text        NOT NULL,
    status      integer     NOT NULL,
    body        text        NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (path, key)
);

-- The oldest are forgotten.
CREATE INDEX pulso_idempotency_age ON pulso_idempotency (answered_at);
