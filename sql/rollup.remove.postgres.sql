-- Undoes sql/rollup.postgres.sql; `pulso migrate --rollup remove` runs it in one transaction. A server that reads the
-- counters goes on with the plain query by itself.
DROP TRIGGER IF EXISTS pulso_stats_insert ON citas;
DROP TRIGGER IF EXISTS pulso_stats_update ON citas;
DROP TRIGGER IF EXISTS pulso_stats_delete ON citas;
DROP TRIGGER IF EXISTS pulso_stats_truncate ON citas;
DROP TABLE IF EXISTS pulso_stats_total, pulso_stats_day, pulso_stats_delta;
DROP FUNCTION IF EXISTS pulso_stats_count(), pulso_stats_fold(anyarray)
