-- To whom a version was handed out: a confirmation by a bare id means one that the answer to another pull brought, or that
-- was handed out twice. What was handed out before this step (pulled) counts as not handed out.
ALTER TABLE pulso_outbox
    -- The version that was handed out last; what follows is about that one.
    ADD COLUMN handed       bigint,
    -- What tells the pull (its method and body) whose answer brought it from others; NULL for orders:pending.
    ADD COLUMN handed_by    text,
    ADD COLUMN handed_twice boolean NOT NULL DEFAULT false;
