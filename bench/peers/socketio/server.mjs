// npm `socket.io` on its own engine (`ws`), one process.

import { Server } from "socket.io";

import { hookServer, listen } from "../node-http.mjs";
import { channel, current, negocio } from "../stats.mjs";

const server = hookServer((message) => {
  io.to(channel(message.data.negocio_id)).emit("stats", message);
});

const io = new Server(server, {
  transports: ["websocket", "polling"],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});

// As the documentation recommends: the first request of each session is not kept.
io.engine.on("connection", (raw) => {
  raw.request = null;
});

io.on("connection", (socket) => {
  socket.on("subscribe", (name) => {
    if (typeof name !== "string") return;
    socket.join(name);
    socket.emit("stats", current(negocio(name)));
  });
});

listen(server);
