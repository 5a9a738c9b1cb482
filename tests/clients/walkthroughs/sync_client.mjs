import { io } from 'socket.io-client';

class SyncClient {
  constructor(backendUrl, apiKey) {
    this.backendUrl = backendUrl;
    this.apiKey = apiKey;
    this.socket = null;
    this.isProcessing = false;
  }
  
  connect() {
    this.socket = io(`${this.backendUrl}/sync`, {
      auth: {
        apiKey: this.apiKey
      }
    });
    
    this.setupEventListeners();
  }
  
  setupEventListeners() {
    this.socket.on('connect', () => {
      console.log('✅ Conectado al servidor de sincronización');
    });
    
    this.socket.on('changes:pending', async () => {
      console.log('📨 Cambios pendientes detectados');
      
      if (!this.isProcessing) {
        this.isProcessing = true;
        await this.syncChanges();
        this.isProcessing = false;
      }
    });
    
    this.socket.on('connect_error', (error) => {
      console.error('❌ Error de conexión:', error.message);
    });
  }
  
  async syncChanges() {
    try {
      const response = await fetch(`${this.backendUrl}/sync/pull-changes`, {
        headers: {
          'Authorization': `Bearer ${this.apiKey}`
        }
      });
      
      const data = await response.json();
      console.log('Datos sincronizados:', data);
      
      // Procesar datos...
      
      // Confirmar sincronización
      await this.confirmSync(data);
      
    } catch (error) {
      console.error('Error en sincronización:', error);
    }
  }
  
  async confirmSync(data) {
    // Implementar confirmación según tu lógica
  }
  
  disconnect() {
    if (this.socket) {
      this.socket.disconnect();
    }
  }
}

// Uso
const client = new SyncClient('http://localhost:5000', 'tu-api-key');
client.connect();
