-- Makes the statistics query index-only. CONCURRENTLY: the shop stays open meanwhile.
CREATE INDEX CONCURRENTLY IF NOT EXISTS citas_estadisticas ON citas (negocio_id) INCLUDE (fecha, estado);
VACUUM (ANALYZE) citas;
