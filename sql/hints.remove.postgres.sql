-- What `pulso migrate --listen <table> <column> <subject> --remove` runs. The words between @ are filled in.
SELECT pg_catalog.set_config('pulso.source'::pg_catalog.text, @table@::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text, true);
SET LOCAL search_path = pg_catalog, pg_temp;

DO $remove$
DECLARE
    source  oid := current_setting('pulso.source'::text)::oid;
    trigger text := @name@;
    called  oid;
BEGIN
    FOR called IN SELECT DISTINCT tgfoid FROM pg_trigger
                   WHERE tgrelid = source AND NOT tgisinternal AND starts_with(tgname::text, trigger) LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', called::regprocedure);
    END LOOP;
END
$remove$
