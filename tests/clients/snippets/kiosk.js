// UID del dispositivo (almacenado en el iPad/kiosk)
const deviceUid = 'ipad-room-101';

// Conectar al WebSocket
const ws = new WebSocket(`ws://localhost:8000/ws/kiosk/orders/?device_uid=${deviceUid}`);

ws.onopen = () => {
  console.log('✅ Conectado al WebSocket de pedidos (kiosk)');
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  console.log('📨 Actualización recibida:', data);

  if (data.type === 'order_status_changed') {
    // Actualizar UI con el nuevo estado
    actualizarEstadoPedido(data.order_id, data.status);

    // Notificaciones específicas por estado
    if (data.status === 'READY') {
      mostrarNotificacion('¡Tu pedido está listo para recoger!', 'success');
      reproducirSonido('orden-lista');
    } else if (data.status === 'PREPARING') {
      mostrarNotificacion('Tu pedido está siendo preparado', 'info');
    } else if (data.status === 'DELIVERED') {
      mostrarNotificacion('Pedido entregado. ¡Gracias!', 'success');
      setTimeout(() => cerrarNotificacionPedido(data.order_id), 5000);
    } else if (data.status === 'CANCELLED') {
      mostrarNotificacion('El pedido ha sido cancelado', 'warning');
    }
  }
};

ws.onerror = (error) => {
  console.error('❌ Error en WebSocket:', error);
};

ws.onclose = (event) => {
  console.log('🔌 WebSocket cerrado:', event.code);
  // Reconectar automáticamente
  setTimeout(() => conectarWebSocket(), 3000);
};
