-- access: negocio
-- hints: venta
-- result: rows
SELECT substr(hecha_en, 12, 2) || ':00' AS hora,
       count(*) AS ventas,
       -- As text: a number would lose its last zero on the way.
       printf('%d.%02d', sum(centavos) / 100, sum(centavos) % 100) AS total
  FROM ventas
 WHERE negocio_id = $1 AND hecha_en >= $2
 GROUP BY 1
 ORDER BY 1
