import { StrictMode, useCallback, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useKioskOrders } from './hooks/useKioskOrders';

function Kiosk() {
  const [orders, setOrders] = useState([{ id: 123, status: 'PLACED' }, { id: 124, status: 'PLACED' }]);
  const onStatusChange = useCallback((event) => {
    setOrders((prev) => prev.map((order) => (order.id === event.order_id ? { ...order, status: event.status } : order)));
  }, []);
  const { isConnected } = useKioskOrders('ipad-room-101', onStatusChange);
  return (
    <div>
      <div className="connection-status">{isConnected ? '🟢 En línea' : '🔴 Sin conexión'}</div>
      {orders.map((order) => <p key={order.id} className="order">{order.id} {order.status}</p>)}
    </div>
  );
}

createRoot(document.getElementById('root')).render(<StrictMode><Kiosk /></StrictMode>);
