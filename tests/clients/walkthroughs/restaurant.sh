TOKEN=$(curl -X POST http://localhost:3000/api/v1/auth/login \
  -H "Content-Type: application/json" \
  -d '{"email":"waiter@restaurante.com","password":"password123"}' \
  | jq -r '.accessToken')

echo "Token: $TOKEN"

# Crear orden
ORDER_ID=$(curl -X POST http://localhost:3000/api/v1/orders \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"tableSessionId":"session-id-here"}' \
  | jq -r '.id')

# Agregar item
curl -X POST http://localhost:3000/api/v1/orders/$ORDER_ID/items \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"name":"Hamburguesa","qty":2,"unitPrice":15.50}'

# Confirmar orden (esto emitirá order.new y order.status.changed)
curl -X POST http://localhost:3000/api/v1/orders/$ORDER_ID/confirm \
  -H "Authorization: Bearer $TOKEN"

# Login como KITCHEN
KITCHEN_TOKEN=$(curl -X POST http://localhost:3000/api/v1/auth/login \
  -H "Content-Type: application/json" \
  -d '{"email":"kitchen@restaurante.com","password":"password123"}' \
  | jq -r '.accessToken')

# (the walk-through leaves it to the reader to find the item)
ITEM_ID=$(curl http://localhost:3000/api/v1/orders/$ORDER_ID -H "Authorization: Bearer $TOKEN" | jq -r '.items[0].id')

# Actualizar item a IN_PROGRESS (emitirá order.item.status.changed y order.status.changed)
curl -X POST http://localhost:3000/api/v1/orders/$ORDER_ID/items/$ITEM_ID/status \
  -H "Authorization: Bearer $KITCHEN_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"status":"IN_PROGRESS"}'
