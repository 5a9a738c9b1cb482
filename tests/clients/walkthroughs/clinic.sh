# Login para obtener token
curl -X POST http://localhost:8000/api/auth/login \
  -H "Content-Type: application/json" \
  -d '{"email":"admin@example.com","password":"tu_password"}'

# Copia el "access" token de la respuesta

# Crear pedido (esto enviará notificación al WebSocket de staff)
curl -X POST http://localhost:8000/api/public/orders/create \
  -H "Content-Type: application/json" \
  -d '{
    "device_uid": "ipad-room-101",
    "items": [
      {"product_id": 1, "quantity": 2}
    ]
  }'

# 7. Crear pedido de prueba
curl -X POST http://localhost:8000/api/public/orders/create \
  -H "Content-Type: application/json" \
  -d '{"device_uid":"ipad-room-101","items":[{"product_id":1,"quantity":2}]}'
