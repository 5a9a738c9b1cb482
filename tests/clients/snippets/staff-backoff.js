let ws;
let reconnectAttempts = 0;
const maxReconnectAttempts = 10;

function connectWebSocket() {
  ws = new WebSocket('ws://localhost:8000/ws/staff/orders/?token=' + token);

  ws.onopen = () => {
    console.log('✅ Conectado');
    reconnectAttempts = 0; // Reset contador
  };

  ws.onclose = () => {
    console.log('🔌 Desconectado');

    // Reconectar con backoff exponencial
    if (reconnectAttempts < maxReconnectAttempts) {
      const delay = Math.min(1000 * Math.pow(2, reconnectAttempts), 30000);
      console.log(`Reconectando en ${delay}ms...`);

      setTimeout(() => {
        reconnectAttempts++;
        connectWebSocket();
      }, delay);
    } else {
      console.error('❌ Máximo de intentos de reconexión alcanzado');
    }
  };

  // Implementa ping/pong para mantener la conexión viva
  setInterval(() => {
    if (ws.readyState === WebSocket.OPEN) {
      ws.send(JSON.stringify({ type: 'ping' }));
    }
  }, 30000); // Cada 30 segundos
}

connectWebSocket();
