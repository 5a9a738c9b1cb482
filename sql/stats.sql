-- The figures of one business. One text for PostgreSQL and SQLite.
-- $1  the business's id, in the type of the id column
-- $2  today, a date, in the business's time zone
-- Returns exactly one row of four integers, by these names.
SELECT COUNT(*)                                      AS total_citas,
       COUNT(*) FILTER (WHERE fecha = $2)            AS citas_hoy,
       COUNT(*) FILTER (WHERE estado = 'atendida')   AS citas_completadas,
       COUNT(*) FILTER (WHERE estado = 'cancelada')  AS citas_canceladas
  FROM citas
 WHERE negocio_id = $1
