-- access: claim restaurantId
-- hints: order/new order/status order/item-status
SELECT count(*) FILTER (WHERE estado = 'CONFIRMED') AS por_empezar,
       count(*) FILTER (WHERE estado = 'IN_PROGRESS') AS en_cocina,
       count(*) FILTER (WHERE estado = 'READY') AS listos,
       count(*) FILTER (WHERE estado IN ('CONFIRMED', 'IN_PROGRESS') AND prometido_para <= $3) AS retrasados,
       -- The next order becomes late at the time that was promised, though nobody writes anything then.
       min(prometido_para) FILTER (WHERE estado IN ('CONFIRMED', 'IN_PROGRESS') AND prometido_para > $3)
           AS next_change_at
  FROM pedidos
 WHERE restaurante_id = $1
