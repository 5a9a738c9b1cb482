// A client on `socket.io-client`: connects to a namespace and prints what happens as JSON lines, until its input ends.
//
//   node socketio_client.mjs --url http://127.0.0.1:8080/ [--transports websocket|polling|polling,websocket]
//     [--bearer JWT] [--auth '{"token":"…"}'] [--since] [--reconnect] [--origin URL]
//
// Lines: {"event":"connect","transport":…}, "upgrade", "connect_error", "disconnect", and {"event":"message","name":…,
// "args":[…],"raw":…} where `raw` is the packet's JSON as it came. With --since the last id is sent on every connect.
// Input, one JSON object a line: {"emit":"name","args":[…]}, {"times":1000,"emit":"join","args":["r"]},
// {"drop":true}, {"return":true}; each is answered with {"event":"done"}.

import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    transports: { type: 'string', default: 'polling,websocket' },
    bearer: { type: 'string' },
    auth: { type: 'string', default: '{}' },
    since: { type: 'string' },
    reconnect: { type: 'boolean', default: false },
    origin: { type: 'string' },
  },
});

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

let last = options.since;
const given = JSON.parse(options.auth);
const headers = {};
if (options.bearer !== undefined) headers.Authorization = `Bearer ${options.bearer}`;
if (options.origin !== undefined) headers.Origin = options.origin;

const socket = io(options.url, {
  transports: options.transports.split(','),
  auth: (answer) => answer(last === undefined ? given : { ...given, since: last }),
  extraHeaders: headers,
  reconnection: options.reconnect,
  reconnectionDelay: 20,
  reconnectionDelayMax: 200,
  forceNew: true,
});

// A packet is seen before its event is emitted, which takes another turn.
const raws = [];
socket.on('connect', () => {
  const { engine } = socket.io;
  print({ event: 'connect', transport: engine.transport.name, recovered: socket.recovered });
  engine.once('upgrade', () => print({ event: 'upgrade', transport: engine.transport.name }));
});
socket.io.on('open', () => {
  socket.io.engine.on('packet', (packet) => { if (packet.type === 'message' && /^2/.test(packet.data)) raws.push(packet.data); });
});
socket.on('connect_error', (error) => {
  const status = error.context?.status ?? error.description?.message;
  print({ event: 'connect_error', message: error.message, status });
});
socket.on('disconnect', (reason) => {
  raws.length = 0;
  print({ event: 'disconnect', reason, willReturn: socket.active });
});
socket.onAny((name, ...args) => {
  const id = args.at(-1)?.id;
  if (last !== undefined && args.length > 1 && typeof id === 'string') last = id;
  print({ event: 'message', name, args, raw: raws.shift() });
});

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { emit, args = [], times = 1, ...told } = JSON.parse(line);
    for (let i = 0; emit !== undefined && i < times; i += 1) socket.emit(emit, ...args);
    if (told.drop) socket.disconnect();
    if (told.return) socket.connect();
    print({ event: 'done' });
  })
  .on('close', () => {
    socket.disconnect();
    process.exit(0);
  });
