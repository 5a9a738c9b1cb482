// npm's `socket.io` with Pulso's two namespaces, admitted by the same rules: what Pulso is compared with.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Server } from 'socket.io';

/** The claims of a good token; nothing where it is none. */
function claims(token, secret) {
  const [head, body, signature] = String(token).split('.');
  if (signature === undefined) return undefined;
  const right = createHmac('sha256', secret).update(`${head}.${body}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const read = JSON.parse(Buffer.from(body, 'base64url'));
  return read.exp > Date.now() / 1000 ? read : undefined;
}

/** Starts it; `emit` and `change` are what hook calls are there, `confirm` what a back end does that has pulled everything. */
export async function reference({ secret, tenants, pingInterval, pingTimeout, maxPayload }) {
  const http = createServer();
  const io = new Server(http, {
    pingInterval,
    pingTimeout,
    maxHttpBufferSize: maxPayload,
    connectTimeout: 10_000,
    serveClient: false,
    perMessageDeflate: false,
  });
  const auth = (socket) => (Array.isArray(socket.handshake.auth) ? {} : socket.handshake.auth ?? {});
  io.use((socket, next) => {
    const { token } = auth(socket);
    if (!token) return next(new Error('No token provided'));
    const read = claims(token, secret);
    if (read === undefined) return next(new Error('Invalid token'));
    if (!read.restaurantId) return next(new Error('No restaurantId'));
    socket.data.room = read.restaurantId;
    return next();
  });
  // A room is joined before the client hears that it is in.
  io.of('/').on('connection', (socket) => socket.join(socket.data.room));
  io.of('/sync').use((socket, next) => {
    const { apiKey } = auth(socket);
    if (!apiKey) return next(new Error('API key required'));
    socket.data.tenant = tenants.find(({ key }) => key === apiKey);
    return next(socket.data.tenant === undefined ? new Error('Invalid API key') : undefined);
  });
  // What is pending, by tenant: the newest of each id, in the order in which it came.
  const pending = new Map(tenants.map(({ name }) => [name, new Map()]));
  io.of('/sync').on('connection', (socket) => {
    const { name } = socket.data.tenant;
    // As by a database: the answer comes later, to who is still there.
    const answer = (say) => setImmediate(() => socket.connected && say());
    socket.join(name);
    answer(() => pending.get(name).size > 0 && socket.emit('changes:pending'));
    socket.on('sync:orders', () =>
      answer(() => {
        const orders = [...pending.get(name).values()].filter(({ entity }) => entity === 'order');
        socket.emit('orders:pending', { count: orders.length, orders: orders.map(({ id, payload }) => ({ ...payload, id, version: 0 })) });
      }),
    );
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${http.address().port}`,
    emit: async (name, restaurant, body) => void io.of('/').to(restaurant).emit(name, body),
    change: async ({ name }, change) => {
      const changes = pending.get(name);
      const at = `${change.entity} ${change.id}`;
      changes.delete(at);
      changes.set(at, change);
      io.of('/sync').to(name).emit('changes:pending');
    },
    confirm: async ({ name }) => pending.get(name).clear(),
    close: () => io.close(),
  };
}
