// What the programs of our own have in common: Pulso's `subscribe`, its frame, and its hook.

import { createServer } from "node:http";

import { WebSocketServer } from "ws";

const CHANNEL = /^consulta:cuenta:(.+)$/;

/** Who comes and wants a key is given to `onWatch(key, send)`, which returns what ends it; `onHint(key)` hears of changes. */
export function serve({ onWatch, onHint }) {
  const server = createServer((request, response) => {
    if (request.method !== "POST" || request.url !== "/notify/consulta" || !onHint) {
      response.writeHead(404).end();
      return;
    }
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (part) => (body += part));
    request.on("end", async () => {
      await onHint(JSON.parse(body).key);
      response.writeHead(200, { "Content-Type": "application/json" }).end('{"ok":true}');
    });
  });
  const sockets = new WebSocketServer({ server, path: "/ws", perMessageDeflate: false, clientTracking: false });
  sockets.on("connection", (client) => {
    const endings = [];
    client.on("message", (text) => {
      const message = JSON.parse(text);
      const channel = message.channel ?? message.data?.channel;
      const key = message.type === "subscribe" && CHANNEL.exec(channel)?.[1];
      if (key) endings.push(onWatch(key, (payload) => client.readyState === client.OPEN && client.send(payload)));
    });
    client.on("close", () => endings.forEach((end) => end?.()));
    client.on("error", () => client.terminate());
  });
  server.keepAliveTimeout = 75_000;
  server.listen({ host: "127.0.0.1", port: Number(process.env.PORT), backlog: 4096 }, () => console.log("ready"));
}

/** A result of a key, as Pulso frames it. */
export const encode = (key, data) =>
  JSON.stringify({ type: "consulta", channel: `consulta:cuenta:${key}`, data: { n: data.n, clave: data.clave } });
