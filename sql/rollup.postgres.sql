-- Optional, PostgreSQL 14 or later: counters for sql/stats.sql by business, day and state, kept by triggers, so that the
-- figures of a million appointments cost what those of a thousand cost. `pulso migrate --rollup` runs this in one
-- transaction and `pulso migrate --rollup rebuild` runs it again; STATS_SOURCE=rollup lets the server read the counters.
--
-- Writers never wait for each other here: a change only adds rows (pulso_stats_delta), and about one in 32 then folds those
-- of its businesses into the sums. Were the sums themselves updated by every change, each change of a business would wait
-- for that business's slowest transaction, and transactions that never met would deadlock.
--
-- Not seen is what fires no trigger: session_replication_role = replica, a logical replication's worker, writing to a
-- partition directly. Rebuild after that. Before the type of negocio_id or fecha changes, remove the rollup.
--
-- Everybody locks in this order: citas, pulso_stats_total, pulso_stats_day, pulso_stats_delta.
DO $$
BEGIN
    IF to_regclass('pulso_stats_total') IS NULL THEN
        -- In whatever types the ids and days are. A state is text, so that it may be any type; NULL is ''.
        CREATE TABLE pulso_stats_total WITH (fillfactor = 50) AS
            SELECT negocio_id, ''::text AS estado, 0::bigint AS citas FROM citas WITH NO DATA;
        CREATE UNIQUE INDEX pulso_stats_total_key ON pulso_stats_total (negocio_id, estado);
        CREATE TABLE pulso_stats_day WITH (fillfactor = 80) AS
            SELECT negocio_id, fecha, ''::text AS estado, 0::bigint AS citas FROM citas WITH NO DATA;
        CREATE UNIQUE INDEX pulso_stats_day_key ON pulso_stats_day (negocio_id, fecha, estado);
        -- Comes and goes: vacuumed by what went, whatever is left.
        CREATE TABLE pulso_stats_delta
            WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000) AS
            SELECT negocio_id, fecha, ''::text AS estado, 0::bigint AS citas FROM citas WITH NO DATA;
        -- A plain scan of this index passes over what went before VACUUM has come, which no other way of reading does. The
        -- planner takes it if it expects few rows; see ANALYZE below.
        CREATE INDEX pulso_stats_delta_negocio ON pulso_stats_delta (negocio_id) WITH (deduplicate_items = off);
        ALTER TABLE pulso_stats_delta ALTER COLUMN negocio_id SET (n_distinct = -1);
    END IF;
END
$$;

-- The functions are bound to the schema of these tables, whatever a writer's search_path is.
SELECT set_config('pulso.search_path', current_setting('search_path'), true),
       set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE OR REPLACE FUNCTION pulso_stats_fold(touched anyarray) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    -- One folds a business at a time; whoever comes second leaves it to a later change. 64 locks for all businesses, so
    -- that a transaction that touches thousands of them does not fill the lock table. In a snapshot of its own making a
    -- transaction may come too late: then nothing is folded, and the writer's own work stands.
    WITH mine AS MATERIALIZED (
        SELECT negocio_id FROM (SELECT DISTINCT unnest(touched)) AS one (negocio_id)
         WHERE pg_try_advisory_xact_lock(1886743667, (hashtextextended(negocio_id::text, 0) & 63)::integer)
    ), folded AS (
        DELETE FROM pulso_stats_delta AS delta USING mine WHERE delta.negocio_id = mine.negocio_id
        RETURNING delta.negocio_id, delta.fecha, delta.estado, delta.citas
    ), summed AS (
        INSERT INTO pulso_stats_total AS total (negocio_id, estado, citas)
        SELECT negocio_id, estado, sum(citas) FROM folded GROUP BY 1, 2 HAVING sum(citas) <> 0
        ON CONFLICT (negocio_id, estado) DO UPDATE SET citas = total.citas + excluded.citas
    )
    INSERT INTO pulso_stats_day AS day (negocio_id, fecha, estado, citas)
    SELECT negocio_id, fecha, estado, sum(citas) FROM folded WHERE fecha IS NOT NULL
     GROUP BY 1, 2, 3 HAVING sum(citas) <> 0
    ON CONFLICT (negocio_id, fecha, estado) DO UPDATE SET citas = day.citas + excluded.citas;
EXCEPTION
    WHEN serialization_failure THEN NULL;
END
$$;

-- With the rights of its owner: who may write citas need not know of these tables, nor may anybody else write them.
CREATE OR REPLACE FUNCTION pulso_stats_count() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS $$
DECLARE
    added bigint;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE pulso_stats_total, pulso_stats_day, pulso_stats_delta;
        RETURN NULL;
    END IF;
    -- The transition tables differ by statement; a branch is planned only when it is reached.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO pulso_stats_delta (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, coalesce(estado::text, ''), count(*)
          FROM new_rows WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO pulso_stats_delta (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, coalesce(estado::text, ''), -count(*)
          FROM old_rows WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO pulso_stats_delta (negocio_id, fecha, estado, citas)
        SELECT negocio_id, fecha, coalesce(estado::text, ''), sum(n)
          FROM (SELECT negocio_id, fecha, estado, -1 AS n FROM old_rows
                UNION ALL SELECT negocio_id, fecha, estado, 1 FROM new_rows) AS moved
         WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
    END IF;
    GET DIAGNOSTICS added = ROW_COUNT;
    -- By chance, so that nobody counts; a business then has some 32 rows that are not folded. Not in a serializable
    -- transaction: it would be said to have read what others add.
    IF (extract(epoch FROM clock_timestamp()) * 1000000)::bigint % 32 < added
        AND current_setting('transaction_isolation') <> 'serializable'
    THEN
        IF TG_OP <> 'INSERT' THEN
            PERFORM pulso_stats_fold(array_agg(DISTINCT negocio_id)) FROM old_rows;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM pulso_stats_fold(array_agg(DISTINCT negocio_id)) FROM new_rows;
        END IF;
    END IF;
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION pulso_stats_fold(anyarray), pulso_stats_count() FROM PUBLIC;

SELECT set_config('search_path', current_setting('pulso.search_path'), true);

-- From here on nobody writes citas until this transaction ends, and whoever had begun to has ended.
CREATE OR REPLACE TRIGGER pulso_stats_insert AFTER INSERT ON citas
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_stats_count();
CREATE OR REPLACE TRIGGER pulso_stats_update AFTER UPDATE ON citas
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_stats_count();
CREATE OR REPLACE TRIGGER pulso_stats_delete AFTER DELETE ON citas
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_stats_count();
CREATE OR REPLACE TRIGGER pulso_stats_truncate AFTER TRUNCATE ON citas
    FOR EACH STATEMENT EXECUTE FUNCTION pulso_stats_count();

-- Rows that a policy hides would be missing for good: better an error.
SET LOCAL row_security = off;
-- Not TRUNCATE: the server goes on reading what was.
DELETE FROM pulso_stats_total;
DELETE FROM pulso_stats_day;
DELETE FROM pulso_stats_delta;
WITH counted AS MATERIALIZED (
    SELECT negocio_id, fecha, coalesce(estado::text, '') AS estado, count(*) AS citas
      FROM citas WHERE negocio_id IS NOT NULL GROUP BY 1, 2, 3
), summed AS (
    INSERT INTO pulso_stats_total (negocio_id, estado, citas)
    SELECT negocio_id, estado, sum(citas) FROM counted GROUP BY 1, 2
)
INSERT INTO pulso_stats_day (negocio_id, fecha, estado, citas)
SELECT negocio_id, fecha, estado, citas FROM counted WHERE fecha IS NOT NULL;
-- An empty table has no statistics: some rows that count nothing, for a moment.
INSERT INTO pulso_stats_delta (negocio_id, estado, citas) SELECT negocio_id, '', 0 FROM pulso_stats_total;
ANALYZE pulso_stats_total, pulso_stats_day, pulso_stats_delta;
DELETE FROM pulso_stats_delta;

-- Tells a rebuilt rollup from the one before, which the server may have found to be wrong.
DO $$
BEGIN
    EXECUTE format('COMMENT ON TABLE pulso_stats_total IS %L', 'pulso rollup 1, built ' || clock_timestamp());
END
$$
