// Emits to the rooms of Socket.IO servers by way of Redis, until its input ends: as a producer with the emitter, or as a server of
// the original's with the adapter.
//
//   node bridge_socketio.mjs --url redis://127.0.0.1:6379 --as emitter|server [--key socket.io]
//
// Input, one JSON object a line: {"rooms":["restaurant:1"],"except":[],"of":"/","emit":"order.new","args":[{…}]}, where
// {"$date":"…"} is a Date, {"$bytes":"5a41"} a Buffer; {"disconnect":["a room"]}; or {"channel":"…","bytes":"5a41"}, to be
// published as it is. Each is answered with {"event":"done"}.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createAdapter } from '@socket.io/redis-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const { values: options } = parseArgs({
  options: { url: { type: 'string' }, as: { type: 'string' }, key: { type: 'string', default: 'socket.io' } },
});

const client = createClient({ url: options.url });
await client.connect();

async function server() {
  const listening = client.duplicate();
  await listening.connect();
  return new Server({ adapter: createAdapter(client, listening, { key: options.key }) });
}

const io = options.as === 'server' ? await server() : new Emitter(client, { key: options.key });

const revived = (_, value) => {
  if (value?.$date !== undefined) return new Date(value.$date);
  return value?.$bytes === undefined ? value : Buffer.from(value.$bytes, 'hex');
};

console.log(JSON.stringify({ event: 'ready' }));
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line, revived);
  if (told.channel !== undefined) {
    await client.publish(told.channel, Buffer.from(told.bytes, 'hex'));
  } else if (told.disconnect !== undefined) {
    io.in(told.disconnect).disconnectSockets(true);
  } else {
    let to = io.of(told.of ?? '/');
    for (const room of told.rooms ?? []) to = to.to(room);
    for (const room of told.except ?? []) to = to.except(room);
    to.emit(told.emit, ...told.args);
  }
  // What was sent before it is there when this is answered.
  await client.ping();
  console.log(JSON.stringify({ event: 'done' }));
}
process.exit(0);
