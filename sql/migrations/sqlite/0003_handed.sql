-- To whom a version was handed out: a confirmation by a bare id means one that the answer to another pull brought, or that
-- was handed out twice. What was handed out before this step (pulled) counts as not handed out.
-- The version that was handed out last; what follows is about that one.
ALTER TABLE pulso_outbox ADD COLUMN handed INTEGER;
-- What tells the pull (its method and body) whose answer brought it from others; NULL for orders:pending.
ALTER TABLE pulso_outbox ADD COLUMN handed_by TEXT;
ALTER TABLE pulso_outbox ADD COLUMN handed_twice INTEGER NOT NULL DEFAULT 0;
