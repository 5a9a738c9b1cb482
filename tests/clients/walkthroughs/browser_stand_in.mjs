// What a browser and the reader's own page would have, for the walk-throughs' snippets run under Node.js
// (`node --import`): `ws` as the WebSocket, the token of TOKEN in the storage, and a line for everything that is shown.

import WebSocket from 'ws';

const told = (name) => (...words) => console.log(`${name}:`, ...words);

Object.assign(globalThis, {
  WebSocket,
  token: process.env.TOKEN,
  localStorage: { getItem: (key) => (key === 'access_token' ? process.env.TOKEN : null) },
  conectarWebSocket: told('conectarWebSocket'),
  mostrarNotificacion: told('mostrarNotificacion'),
  cerrarNotificacionPedido: told('cerrarNotificacionPedido'),
  reproducirSonido: told('reproducirSonido'),
  actualizarListaPedidos: told('actualizarListaPedidos'),
  actualizarEstadoPedido: told('actualizarEstadoPedido'),
});
