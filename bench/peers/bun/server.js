// uWebSockets as shipped in Bun: its own publish/subscribe, one process.

import { channel, current, encode, negocio, next, wanted } from "../stats.mjs";
import { lengthen } from "./backlog.js";

const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  development: false,
  idleTimeout: 75,
  routes: {
    "/ws": (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 426 })),
    "/notify/cita": {
      async POST(request, server) {
        const { negocio_id } = await request.json();
        const message = next(negocio_id);
        server.publish(channel(negocio_id), encode(message));
        return Response.json({ seq: message.seq });
      },
    },
  },
  fetch: () => new Response(null, { status: 404 }),
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

lengthen(port, 4096);
console.log("ready");
