import { useEffect, useRef, useState } from 'react';

interface StatusChangeEvent {
  type: 'order_status_changed';
  order_id: number;
  status: string;
  from_status: string;
  changed_at: string;
}

export function useKioskOrders(
  deviceUid: string,
  onStatusChange: (event: StatusChangeEvent) => void
) {
  const [isConnected, setIsConnected] = useState(false);
  const wsRef = useRef<WebSocket | null>(null);

  useEffect(() => {
    const ws = new WebSocket(
      `ws://localhost:8000/ws/kiosk/orders/?device_uid=${deviceUid}`
    );
    wsRef.current = ws;

    ws.onopen = () => {
      console.log('✅ Conectado a WebSocket de kiosk');
      setIsConnected(true);
    };

    ws.onmessage = (event) => {
      const data: StatusChangeEvent = JSON.parse(event.data);
      if (data.type === 'order_status_changed') {
        console.log('📬 Estado actualizado:', data);
        onStatusChange(data);
      }
    };

    ws.onerror = (error) => {
      console.error('❌ Error en WebSocket:', error);
      setIsConnected(false);
    };

    ws.onclose = () => {
      console.log('🔌 WebSocket cerrado, reconectando...');
      setIsConnected(false);

      // Reconectar automáticamente
      setTimeout(() => {
        console.log('🔄 Reconectando...');
      }, 3000);
    };

    return () => {
      ws.close();
    };
  }, [deviceUid, onStatusChange]);

  return { isConnected, wsRef };
}
