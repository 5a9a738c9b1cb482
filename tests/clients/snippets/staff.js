// Obtener token JWT del login
const token = localStorage.getItem('access_token');

// Conectar al WebSocket
const ws = new WebSocket(`ws://localhost:8000/ws/staff/orders/?token=${token}`);

ws.onopen = () => {
  console.log('✅ Conectado al WebSocket de pedidos (staff)');
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  console.log('📨 Mensaje recibido:', data);

  if (data.type === 'new_order') {
    // Manejar notificación de nuevo pedido
    mostrarNotificacion(`Nuevo pedido #${data.order_id} desde ${data.device_uid}`);
    reproducirSonido();
    actualizarListaPedidos();
  }
};

ws.onerror = (error) => {
  console.error('❌ Error en WebSocket:', error);
};

ws.onclose = (event) => {
  console.log('🔌 WebSocket cerrado:', event.code);
  // Lógica de reconexión aquí
  setTimeout(() => conectarWebSocket(), 3000);
};
