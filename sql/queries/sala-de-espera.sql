-- access: negocio
-- hints: cita
SELECT count(*) AS esperan,
       count(*) FILTER (WHERE limite <= $3) AS esperan_mucho,
       strftime('%Y-%m-%dT%H:%M:%SZ', min(llegada)) AS espera_desde,
       (SELECT count(*) FROM citas WHERE negocio_id = $1 AND fecha = $2 AND estado = 'atendida') AS atendidas_hoy,
       min(limite) FILTER (WHERE limite > $3) AS next_change_at
  FROM sala_de_espera
 WHERE negocio_id = $1
