-- Optional: tells Pulso of every change to `citas`, also from code that forgets the hook. One notification a
-- statement and business; the payload is the business's id and nothing else.
-- Then set LISTEN_CHANNEL=pulso_citas (and LISTEN_DATABASE_URL where DATABASE_URL leads to a transaction pooler).
CREATE OR REPLACE FUNCTION pulso_notify_citas() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM pg_notify('pulso_citas', negocio_id::text) FROM new_rows GROUP BY negocio_id;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM pg_notify('pulso_citas', negocio_id::text) FROM old_rows GROUP BY negocio_id;
    ELSE
        PERFORM pg_notify('pulso_citas', negocio_id::text)
           FROM (SELECT negocio_id FROM old_rows UNION SELECT negocio_id FROM new_rows) AS touched;
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
