-- Lets the statistics query be answered from the index alone. Run it once on the API's database, outside of a
-- transaction; CONCURRENTLY keeps the shop open meanwhile. (If it was interrupted, DROP INDEX citas_estadisticas first.)
--
-- All three are key columns, none is INCLUDEd: PostgreSQL merges equal keys, and a business has many appointments of
-- one day and state. On 5 million rows that made the index a quarter of the size and the query twice as fast.
CREATE INDEX CONCURRENTLY IF NOT EXISTS citas_estadisticas ON citas (negocio_id, fecha, estado);

-- The index alone suffices only for pages that VACUUM has marked as visible to all; autovacuum keeps that up.
VACUUM (ANALYZE) citas;
