-- access: claim restaurantId
-- hints: order/new order/status order/item-status
-- result: rows
-- Each has the fields of `order.new`, as the order is now: with `&abiertos=` the page's board begins with them.
SELECT id AS "orderId", mesa AS "tableSessionId", estado AS status, replace(confirmado_en, ' ', 'T') || 'Z' AS "createdAt", productos AS items
  FROM pedidos
 WHERE restaurante_id = $1 AND estado IN ('CONFIRMED', 'IN_PROGRESS', 'READY')
 ORDER BY confirmado_en
