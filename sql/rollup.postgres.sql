-- Optional, PostgreSQL 14 or later: counters for sql/stats.sql by business, day and state, kept by triggers, so that the
-- figures of a million appointments cost what those of a thousand cost. `pulso migrate --rollup` runs this in one
-- transaction and `pulso migrate --rollup rebuild` runs it again; STATS_SOURCE=rollup lets the server read the counters.
--
-- Writers never wait for each other here: a change only adds rows (pulso_stats_delta), and about one in 32 then folds those
-- of its businesses into the sums. Were the sums themselves updated by every change, each change of a business would wait
-- for that business's slowest transaction, and transactions that never met would deadlock.
--
-- Not seen is what fires no trigger: session_replication_role = replica, a logical replication's worker, writing to a
-- partition directly. Seen twice is what is restored by pg_restore --data-only without --disable-triggers: the triggers
-- count the appointments, and the counters are loaded too. Rebuild after either. Before the type of negocio_id or fecha
-- changes, remove the rollup.
--
-- Everybody locks in this order: citas, pulso_stats_total, pulso_stats_day, pulso_stats_delta.
--
-- The triggers' function has the rights of its owner, and whoever runs this has those of the owner of citas. So nothing is
-- looked up where others may create things: names have their schema, literals the very type that is wanted, and operators
-- and functions are found in pg_catalog or nowhere. A better match in another schema would run with these rights.
SELECT pg_catalog.set_config(
           'pulso.ours'::pg_catalog.text,
           pg_catalog.quote_ident(pg_catalog.current_schema()::pg_catalog.text),
           true),
       pg_catalog.set_config(
           'pulso.citas'::pg_catalog.text,
           'citas'::pg_catalog.regclass::pg_catalog.oid::pg_catalog.text,
           true);
SET LOCAL search_path = pg_catalog, pg_temp;
-- Rows that a policy hides would be missing for good: better an error.
SET LOCAL row_security = off;

DO $install$
DECLARE
    -- The schema of everything that is created here.
    ours    text := nullif(current_setting('pulso.ours'::text), ''::text);
    source  oid := current_setting('pulso.citas'::text)::oid;
    citas   text := source::regclass::text;
    strange text;
    kind    oid;
    equals  text;
    body    text;
    part    text;
BEGIN
    IF ours IS NULL THEN
        RAISE EXCEPTION 'no schema has been selected to create in' USING ERRCODE = 'invalid_schema_name';
    END IF;
    -- Whoever owns one of these would act with the rights of the function's owner.
    SELECT string_agg(format('%s belongs to %s', thing, pg_get_userbyid(owner)), ', ') INTO strange
      FROM (SELECT oid::regclass::text, relowner FROM pg_class
             WHERE relnamespace = ours::regnamespace AND starts_with(relname::text, 'pulso_stats_'::text)
            UNION ALL
            SELECT oid::regprocedure::text, proowner FROM pg_proc
             WHERE pronamespace = ours::regnamespace AND starts_with(proname::text, 'pulso_stats_'::text)
           ) AS found (thing, owner)
     WHERE owner <> (SELECT relowner FROM pg_class WHERE oid = source)
       AND NOT EXISTS (SELECT FROM pg_roles WHERE oid = owner AND (rolsuper OR rolname = current_user));
    IF strange IS NOT NULL THEN
        RAISE EXCEPTION '% and would have the rights of the rollup''s owner: drop it, or give it to the owner of citas', strange
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    IF to_regclass(ours || '.pulso_stats_total') IS NULL THEN
        -- In whatever types the ids and days are. A state is text, so that it may be any type; NULL is ''.
        EXECUTE replace(replace($tables$
            CREATE TABLE @ours@.pulso_stats_total WITH (fillfactor = 50) AS
                SELECT negocio_id, ''::text AS estado, 0::bigint AS citas FROM @citas@ WITH NO DATA;
            CREATE UNIQUE INDEX pulso_stats_total_key ON @ours@.pulso_stats_total (negocio_id, estado);
            CREATE TABLE @ours@.pulso_stats_day WITH (fillfactor = 80) AS
                SELECT negocio_id, fecha, ''::text AS estado, 0::bigint AS citas FROM @citas@ WITH NO DATA;
            CREATE UNIQUE INDEX pulso_stats_day_key ON @ours@.pulso_stats_day (negocio_id, fecha, estado);
            -- Comes and goes: vacuumed by what went, whatever is left.
            CREATE TABLE @ours@.pulso_stats_delta
                WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000) AS
                SELECT negocio_id, fecha, ''::text AS estado, 0::bigint AS citas FROM @citas@ WITH NO DATA;
            -- A plain scan of this index passes over what went before VACUUM has come, which no other way of reading does.
            -- The planner takes it if it expects few rows; see ANALYZE below.
            CREATE INDEX pulso_stats_delta_negocio ON @ours@.pulso_stats_delta (negocio_id)
                WITH (deduplicate_items = off);
            ALTER TABLE @ours@.pulso_stats_delta ALTER COLUMN negocio_id SET (n_distinct = -1);
            $tables$, '@ours@', ours), '@citas@', citas);
    END IF;

    -- The id's own equality, from the operator class that only a superuser can make.
    SELECT atttypid INTO kind FROM pg_attribute WHERE attrelid = source AND attname = 'negocio_id' AND NOT attisdropped;
    WHILE (SELECT typbasetype <> 0::oid FROM pg_type WHERE oid = kind) LOOP
        SELECT typbasetype INTO kind FROM pg_type WHERE oid = kind;
    END LOOP;
    SELECT format('OPERATOR(%I.%s)', nspname, oprname) INTO equals
      FROM pg_opclass JOIN pg_amop ON amopfamily = opcfamily AND amoplefttype = opcintype AND amoprighttype = opcintype
      JOIN pg_operator ON pg_operator.oid = amopopr JOIN pg_namespace ON pg_namespace.oid = oprnamespace
     WHERE opcdefault AND opcintype = kind AND amopstrategy = 3
       AND opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree');
    equals := coalesce(equals, 'OPERATOR(pg_catalog.=)');

    body := $fold$
BEGIN
    -- One folds a business at a time; whoever comes second leaves it to a later change. 64 locks for all businesses, so
    -- that a transaction that touches thousands of them does not fill the lock table. In a snapshot of its own making a
    -- transaction may come too late: then nothing is folded, and the writer's own work stands.
    WITH mine AS MATERIALIZED (
        SELECT negocio_id FROM (SELECT DISTINCT pg_catalog.unnest(touched)) AS one (negocio_id)
         WHERE pg_catalog.pg_try_advisory_xact_lock(
                   1886743667::integer,
                   (pg_catalog.hashtextextended(negocio_id::text, 0::bigint) & 63::bigint)::integer)
    ), folded AS (
        DELETE FROM @ours@.pulso_stats_delta AS delta USING mine WHERE delta.negocio_id @equals@ mine.negocio_id
        RETURNING delta.negocio_id, delta.fecha, delta.estado, delta.citas
    ), summed AS (
        INSERT INTO @ours@.pulso_stats_total AS total (negocio_id, estado, citas)
        SELECT negocio_id, estado, pg_catalog.sum(citas) FROM folded
         GROUP BY 1, 2 HAVING pg_catalog.sum(citas) <> 0::numeric
        ON CONFLICT (negocio_id, estado) DO UPDATE SET citas = total.citas + excluded.citas
    )
    INSERT INTO @ours@.pulso_stats_day AS day (negocio_id, fecha, estado, citas)
    SELECT negocio_id, fecha, estado, pg_catalog.sum(citas) FROM folded WHERE fecha IS NOT NULL
     GROUP BY 1, 2, 3 HAVING pg_catalog.sum(citas) <> 0::numeric
    ON CONFLICT (negocio_id, fecha, estado) DO UPDATE SET citas = day.citas + excluded.citas;
EXCEPTION
    WHEN serialization_failure THEN NULL;
END
$fold$;
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s.pulso_stats_fold(touched anyarray) RETURNS void LANGUAGE plpgsql
             SET search_path = pg_catalog, pg_temp AS %L',
        ours, replace(replace(body, '@ours@', ours), '@equals@', equals));

    body := $count$
DECLARE
    added bigint;
BEGIN
    IF TG_OP = 'TRUNCATE'::text THEN
        TRUNCATE @ours@.pulso_stats_total, @ours@.pulso_stats_day, @ours@.pulso_stats_delta;
        RETURN NULL;
    END IF;
    -- The transition tables differ by statement; a branch is planned only when it is reached.
    IF TG_OP = 'INSERT'::text THEN
        INSERT INTO @ours@.pulso_stats_delta (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, coalesce(estado::text, ''::text), pg_catalog.count(*)
          FROM new_rows WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3;
    ELSIF TG_OP = 'DELETE'::text THEN
        INSERT INTO @ours@.pulso_stats_delta (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, coalesce(estado::text, ''::text), -pg_catalog.count(*)
          FROM old_rows WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO @ours@.pulso_stats_delta (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, coalesce(estado::text, ''::text), pg_catalog.sum(n)
          FROM (SELECT negocio_id, fecha, estado, -1::integer AS n FROM old_rows
                UNION ALL SELECT negocio_id, fecha, estado, 1::integer FROM new_rows) AS moved
         WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3 HAVING pg_catalog.sum(n) <> 0::bigint;
    END IF;
    GET DIAGNOSTICS added = ROW_COUNT;
    -- By chance, so that nobody counts; a business then has some 32 rows that are not folded. Not in a serializable
    -- transaction: it would be said to have read what others add.
    IF (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000::numeric)::bigint % 32::bigint < added
        AND pg_catalog.current_setting('transaction_isolation'::text) <> 'serializable'::text
    THEN
        IF TG_OP <> 'INSERT'::text THEN
            PERFORM @ours@.pulso_stats_fold(pg_catalog.array_agg(DISTINCT negocio_id)) FROM old_rows;
        END IF;
        IF TG_OP <> 'DELETE'::text THEN
            PERFORM @ours@.pulso_stats_fold(pg_catalog.array_agg(DISTINCT negocio_id)) FROM new_rows;
        END IF;
    END IF;
    RETURN NULL;
END
$count$;
    -- With the rights of its owner: who may write citas need not know of these tables, nor may anybody else write them.
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION %s.pulso_stats_count() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
             SET search_path = pg_catalog, pg_temp AS %L',
        ours, replace(body, '@ours@', ours));
    EXECUTE format('REVOKE ALL ON FUNCTION %1$s.pulso_stats_fold(anyarray), %1$s.pulso_stats_count() FROM PUBLIC', ours);

    -- From here on nobody writes citas until this transaction ends, and whoever had begun to has ended.
    EXECUTE replace(replace($triggers$
        CREATE OR REPLACE TRIGGER pulso_stats_insert AFTER INSERT ON @citas@
            REFERENCING NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION @ours@.pulso_stats_count();
        CREATE OR REPLACE TRIGGER pulso_stats_update AFTER UPDATE ON @citas@
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION @ours@.pulso_stats_count();
        CREATE OR REPLACE TRIGGER pulso_stats_delete AFTER DELETE ON @citas@
            REFERENCING OLD TABLE AS old_rows
            FOR EACH STATEMENT EXECUTE FUNCTION @ours@.pulso_stats_count();
        CREATE OR REPLACE TRIGGER pulso_stats_truncate AFTER TRUNCATE ON @citas@
            FOR EACH STATEMENT EXECUTE FUNCTION @ours@.pulso_stats_count();
        $triggers$, '@ours@', ours), '@citas@', citas);

    FOREACH part IN ARRAY ARRAY[
        -- Not TRUNCATE: the server goes on reading what was.
        'DELETE FROM @ours@.pulso_stats_total',
        'DELETE FROM @ours@.pulso_stats_day',
        'DELETE FROM @ours@.pulso_stats_delta',
        $counted$
        WITH counted AS MATERIALIZED (
            SELECT negocio_id, fecha, coalesce(estado::text, ''::text) AS estado, count(*) AS citas
              FROM @citas@ WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3
        ), summed AS (
            INSERT INTO @ours@.pulso_stats_total (negocio_id, estado, citas)
            SELECT negocio_id, estado, sum(citas) FROM counted GROUP BY 1, 2
        )
        INSERT INTO @ours@.pulso_stats_day (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, estado, citas FROM counted WHERE fecha IS NOT NULL
        $counted$,
        -- An empty table has no statistics: some rows that count nothing, for a moment.
        $few$
        INSERT INTO @ours@.pulso_stats_delta (negocio_id, estado, citas)
        SELECT negocio_id, ''::text, 0::bigint FROM @ours@.pulso_stats_total
        $few$,
        'ANALYZE @ours@.pulso_stats_total, @ours@.pulso_stats_day, @ours@.pulso_stats_delta',
        'DELETE FROM @ours@.pulso_stats_delta'
    ] LOOP
        EXECUTE replace(replace(part, '@ours@', ours), '@citas@', citas);
    END LOOP;

    -- Tells a rebuilt rollup from the one before, which the server may have found to be wrong.
    EXECUTE format('COMMENT ON TABLE %s.pulso_stats_total IS %L', ours, 'pulso rollup 1, built ' || clock_timestamp()::text);
END
$install$
