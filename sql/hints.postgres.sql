-- What `pulso migrate --listen <table> <column> <subject>` runs, as the owner of the table (PostgreSQL 14 or later): a trigger
-- that tells Pulso's live queries which keys a statement has touched. The words between @ are filled in.
--
-- One notification a statement and key, sent when the transaction commits: `<subject> <key>`, of the old rows and of the new. A
-- key that is null is nobody's. The subject alone means all of its keys: after TRUNCATE, where a key has more than 200 bytes,
-- where a statement touches more than 1,000 keys, and where the keys cannot be told (the column has another name now).
-- Nothing in here fails the application's statement. Not seen is what fires no trigger: session_replication_role = replica, and
-- writing to a partition by its own name. PREPARE TRANSACTION is refused after a NOTIFY: not for those who use it.
SELECT pg_catalog.set_config('pulso.source'::pg_catalog.text, @table@::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text, true);
SET LOCAL search_path = pg_catalog, pg_temp;

DO $install$
DECLARE
    source   oid := current_setting('pulso.source'::text)::oid;
    col      text := @column@;
    subject  text := @subject@;
    channel  text := @channel@;
    trigger  text := @name@;
    ours     text;
    own_name text;
    what     text;
    refers   text;
    body     text;
BEGIN
    SELECT format('%I', nspname), trigger || '_' || left(md5(source::regclass::text || nspname::text), 8)
      INTO ours, own_name
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = source;
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = source AND attname = col::name AND attnum > 0 AND NOT attisdropped) THEN
        RAISE EXCEPTION 'table % has no column %', source::regclass, quote_ident(col) USING ERRCODE = 'undefined_column';
    END IF;
    body := replace(replace(replace($body$
DECLARE
    keys text[];
BEGIN
    BEGIN
        -- The transition tables differ by statement; a branch is planned only when it is reached.
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(key) INTO keys FROM (
                SELECT DISTINCT @col@::text AS key FROM new_rows WHERE @col@ IS NOT NULL LIMIT 1001) AS touched;
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(key) INTO keys FROM (
                SELECT DISTINCT @col@::text AS key FROM old_rows WHERE @col@ IS NOT NULL LIMIT 1001) AS touched;
        ELSIF TG_OP = 'UPDATE' THEN
            SELECT array_agg(key) INTO keys FROM (
                SELECT @col@::text AS key FROM old_rows WHERE @col@ IS NOT NULL
                UNION SELECT @col@::text FROM new_rows WHERE @col@ IS NOT NULL LIMIT 1001) AS touched;
        END IF;
        IF TG_OP = 'TRUNCATE' OR cardinality(keys) > 1000
           OR EXISTS (SELECT FROM unnest(keys) AS one (key) WHERE octet_length(key) > 200) THEN
            PERFORM pg_notify(@channel@, @subject@);
        ELSE
            PERFORM pg_notify(@channel@, @subject@ || ' ' || key) FROM unnest(keys) AS one (key);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        RAISE LOG 'pulso cannot tell which keys were touched: %', SQLERRM;
        BEGIN
            PERFORM pg_notify(@channel@, @subject@);
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END;
    RETURN NULL;
END
$body$, '@col@', quote_ident(col)), '@subject@', quote_literal(subject)), '@channel@', quote_literal(channel));
    EXECUTE format('CREATE OR REPLACE FUNCTION %s.%I() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS %L',
                   ours, own_name, body);
    FOR what, refers IN VALUES ('INSERT', 'REFERENCING NEW TABLE AS new_rows'),
                               ('UPDATE', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                               ('DELETE', 'REFERENCING OLD TABLE AS old_rows'),
                               ('TRUNCATE', '') LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %s.%I()',
                       trigger || '_' || lower(what), what, source::regclass, refers, ours, own_name);
    END LOOP;
END
$install$
