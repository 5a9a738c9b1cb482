import { io } from 'socket.io-client';

// Configuración del cliente
const BACKEND_URL = 'http://localhost:5000'; // O tu URL de producción
const CLOUD_API_KEY = 'tu-cloud-api-key'; // Debe coincidir con CLOUD_API_KEY en .env del backend

// Conectar al namespace /sync con autenticación
const socket = io(`${BACKEND_URL}/sync`, {
  auth: {
    apiKey: CLOUD_API_KEY
  },
  transports: ['websocket', 'polling'], // Intentar WebSocket primero, luego polling
  reconnection: true,
  reconnectionAttempts: 5,
  reconnectionDelay: 1000,
});

// Eventos de conexión
socket.on('connect', () => {
  console.log('✅ Conectado al WebSocket de sincronización');
  console.log('Socket ID:', socket.id);
});

socket.on('connect_error', (error) => {
  console.error('❌ Error de conexión:', error.message);
  if (error.message === 'API key required') {
    console.error('Debes proporcionar el API key en la autenticación');
  } else if (error.message === 'Invalid API key') {
    console.error('El API key proporcionado no es válido');
  }
});

socket.on('disconnect', (reason) => {
  console.log('🔌 Desconectado:', reason);
});

// IMPORTANTE: Suscribirse al evento changes:pending
socket.on('changes:pending', async () => {
  console.log('📨 Notificación recibida: Hay cambios pendientes de sincronizar');
  
  // Aquí debes llamar a tu función de sincronización
  await syncPendingChanges();
});

// Función para sincronizar cambios pendientes
async function syncPendingChanges() {
  try {
    const response = await fetch(`${BACKEND_URL}/sync/pull-changes`, {
      method: 'GET',
      headers: {
        'Authorization': `Bearer ${CLOUD_API_KEY}`,
        'Content-Type': 'application/json'
      }
    });
    
    if (!response.ok) {
      throw new Error(`Error ${response.status}: ${response.statusText}`);
    }
    
    const data = await response.json();
    console.log('Cambios pendientes recibidos:', data);
    
    // Procesar los cambios...
    // Confirmar sincronización cuando termines
    
  } catch (error) {
    console.error('Error al sincronizar:', error);
  }
}

// Opcional: Solicitar sincronización manual
function requestSync() {
  socket.emit('sync:orders');
}

// 1. Conectar
const testConnection = async () => {
  // Esperar a que se conecte
  await new Promise(resolve => {
    if (socket.connected) {
      resolve();
    } else {
      socket.once('connect', resolve);
    }
  });
  
  console.log('✅ Conectado correctamente');
  
  // 2. Verificar que recibe eventos
  socket.on('changes:pending', () => {
    console.log('✅ Evento changes:pending recibido!');
  });
  
  // 3. Solicitar órdenes pendientes manualmente
  socket.emit('sync:orders');
  
  socket.on('orders:pending', (data) => {
    console.log('📦 Órdenes pendientes:', data);
  });
};

testConnection();
