-- The figures of one business. One text for PostgreSQL and SQLite.
-- Set STATS_SQL to a file of your own for other tables; it must keep to this:
--   $1  the business's id; compared with the id column itself, never with a cast of it, which would lose the index
--   $2  today, a date, in the business's time zone (never CURRENT_DATE, which is the server's day)
--   one row, exactly these four columns, integers
SELECT COUNT(*)                                      AS total_citas,
       COUNT(*) FILTER (WHERE fecha = $2)            AS citas_hoy,
       COUNT(*) FILTER (WHERE estado = 'atendida')   AS citas_completadas,
       COUNT(*) FILTER (WHERE estado = 'cancelada')  AS citas_canceladas
  FROM citas
 WHERE negocio_id = $1
