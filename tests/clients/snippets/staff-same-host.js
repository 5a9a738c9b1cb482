// Detectar automáticamente http/ws vs https/wss
const protocol = window.location.protocol === 'https:' ? 'wss:' : 'ws:';
const wsUrl = `${protocol}//${window.location.host}/ws/staff/orders/?token=${token}`;

const ws = new WebSocket(wsUrl);
