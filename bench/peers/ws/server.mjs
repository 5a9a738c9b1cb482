// npm `ws`: the plain WebSocket server of Node, one process.

import { WebSocketServer } from "ws";

import { hookServer, listen } from "../node-http.mjs";
import { channel, current, encode, negocio, wanted } from "../stats.mjs";

const AS_TEXT = { binary: false, compress: false };
const channels = new Map();

const server = hookServer((message) => {
  const payload = Buffer.from(encode(message));
  for (const client of channels.get(channel(message.data.negocio_id)) ?? []) {
    if (client.readyState === client.OPEN) client.send(payload, AS_TEXT);
  }
});

const sockets = new WebSocketServer({ server, path: "/ws", perMessageDeflate: false, clientTracking: false });

sockets.on("connection", (client) => {
  const mine = [];
  client.on("message", (text) => {
    const name = wanted(text);
    if (!name) return;
    if (!channels.has(name)) channels.set(name, new Set());
    channels.get(name).add(client);
    if (!mine.includes(name)) mine.push(name);
    client.send(encode(current(negocio(name))), AS_TEXT);
  });
  client.on("close", () => {
    for (const name of mine) {
      const members = channels.get(name);
      members.delete(client);
      if (members.size === 0) channels.delete(name);
    }
  });
  client.on("error", () => client.terminate());
});

listen(server);
