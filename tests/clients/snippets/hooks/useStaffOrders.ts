import { useEffect, useState, useRef } from 'react';

interface NewOrderEvent {
  type: 'new_order';
  order_id: number;
  room_code: string | null;
  device_uid: string;
  placed_at: string;
}

export function useStaffOrders(token: string | null) {
  const [newOrders, setNewOrders] = useState<NewOrderEvent[]>([]);
  const [isConnected, setIsConnected] = useState(false);
  const wsRef = useRef<WebSocket | null>(null);

  useEffect(() => {
    if (!token) return;

    const ws = new WebSocket(`ws://localhost:8000/ws/staff/orders/?token=${token}`);
    wsRef.current = ws;

    ws.onopen = () => {
      console.log('✅ Conectado a WebSocket de staff');
      setIsConnected(true);
    };

    ws.onmessage = (event) => {
      const data: NewOrderEvent = JSON.parse(event.data);
      if (data.type === 'new_order') {
        console.log('🆕 Nuevo pedido:', data);
        setNewOrders(prev => [...prev, data]);

        // Notificación del navegador
        if (Notification.permission === 'granted') {
          new Notification(`Nuevo pedido #${data.order_id}`, {
            body: `De: ${data.device_uid}`,
            icon: '/icon-order.png'
          });
        }
      }
    };

    ws.onerror = (error) => {
      console.error('❌ Error en WebSocket:', error);
      setIsConnected(false);
    };

    ws.onclose = () => {
      console.log('🔌 WebSocket cerrado');
      setIsConnected(false);

      // Reconectar después de 3 segundos
      setTimeout(() => {
        console.log('🔄 Intentando reconectar...');
      }, 3000);
    };

    return () => {
      ws.close();
    };
  }, [token]);

  const clearOrders = () => setNewOrders([]);

  return { newOrders, isConnected, clearOrders };
}
