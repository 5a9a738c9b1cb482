// The HTTP side of the peers on Node: one hook, and the line that says the server listens.

import { createServer } from "node:http";

import { next } from "./stats.mjs";

/** A server whose `POST /notify/cita` hands the next message to `broadcast`. */
export function hookServer(broadcast) {
  return createServer((request, response) => {
    if (request.method !== "POST" || request.url !== "/notify/cita") {
      response.writeHead(404).end();
      return;
    }
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      const message = next(JSON.parse(body).negocio_id);
      broadcast(message);
      response.writeHead(200, { "Content-Type": "application/json" }).end(`{"seq":${message.seq}}`);
    });
  });
}

export function listen(server) {
  // Node's own 511 would cost a storm of connections a second; sockets have TCP_NODELAY by default.
  server.keepAliveTimeout = 75_000;
  server.listen({ host: "127.0.0.1", port: Number(process.env.PORT), backlog: 4096 }, () => console.log("ready"));
}
