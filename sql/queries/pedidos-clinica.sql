-- access: negocio
-- hints: pedido
-- result: rows
-- Each has the fields of `new_order`: with `&llegadas=` the page's board begins with them. The clinic's API announces it by
-- /notify/consulta whenever one of them goes on.
SELECT id AS order_id, habitacion AS room_code, dispositivo AS device_uid, replace(pedido_en, ' ', 'T') || 'Z' AS placed_at
  FROM pedidos_clinica
 WHERE negocio_id = $1 AND estado IN ('PLACED', 'PREPARING', 'READY')
 ORDER BY pedido_en
