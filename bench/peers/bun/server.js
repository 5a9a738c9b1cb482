// uWebSockets as shipped in Bun: its own publish/subscribe, one process.

import { channel, current, encode, negocio, next, wanted } from "../stats.mjs";

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  development: false,
  idleTimeout: 75,
  async fetch(request, server) {
    const path = new URL(request.url).pathname;
    if (path === "/ws") {
      return server.upgrade(request) ? undefined : new Response(null, { status: 426 });
    }
    if (path !== "/notify/cita" || request.method !== "POST") {
      return new Response(null, { status: 404 });
    }
    const { negocio_id } = await request.json();
    const message = next(negocio_id);
    server.publish(channel(negocio_id), encode(message));
    return Response.json({ seq: message.seq });
  },
  websocket: {
    perMessageDeflate: false,
    message(client, text) {
      const name = wanted(text);
      if (!name) return;
      client.subscribe(name);
      client.send(encode(current(negocio(name))));
    },
  },
});

console.log("ready");
