-- Optional: tells Pulso of every change to `citas`, also of those made by code that forgets to call the hook.
-- Run it once, as the owner of `citas` (PostgreSQL 14 or later); then start Pulso with LISTEN_CHANNEL=pulso_citas, and
-- where DATABASE_URL leads to a transaction pooler with LISTEN_DATABASE_URL set to a direct connection.
--
-- One notification a statement and business, sent when the transaction commits; the payload is the business's id and
-- nothing else. A row that moves from one business to another tells both. TRUNCATE tells nobody: call the hook.
-- To undo: DROP FUNCTION pulso_notify_citas() CASCADE;

CREATE OR REPLACE FUNCTION pulso_notify_citas() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The transition tables differ by statement; a branch is planned only when it is reached. An id that is missing
    -- or absurdly long (a payload of 8000 bytes is an error) must never fail the API's own transaction.
    IF TG_OP = 'INSERT' THEN
        PERFORM pg_notify('pulso_citas', id)
           FROM (SELECT DISTINCT negocio_id::text FROM new_rows) AS touched (id)
          WHERE octet_length(id) <= 200;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM pg_notify('pulso_citas', id)
           FROM (SELECT DISTINCT negocio_id::text FROM old_rows) AS touched (id)
          WHERE octet_length(id) <= 200;
    ELSE
        PERFORM pg_notify('pulso_citas', id)
           FROM (SELECT negocio_id::text FROM old_rows UNION SELECT negocio_id::text FROM new_rows) AS touched (id)
          WHERE octet_length(id) <= 200;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER pulso_citas_insert AFTER INSERT ON citas
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_notify_citas();
CREATE OR REPLACE TRIGGER pulso_citas_update AFTER UPDATE ON citas
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_notify_citas();
CREATE OR REPLACE TRIGGER pulso_citas_delete AFTER DELETE ON citas
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_notify_citas();
