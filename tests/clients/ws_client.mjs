// A client on npm `ws`: subscribes, prints every frame as a JSON line, ends well when its condition is met.
//
//   node ws_client.mjs --url ws://127.0.0.1:8080/ws --token JWT [--auth query|header|message|none]
//     --channel estadisticas:ID [--channel …] [--send JSON …] [--count N | --until '{"total_citas":5}' [--until-close]]
//     [--timeout-ms 10000] [--reconnect] [--origin URL]
//
// Lines: {"event":"open"|"frame"|"close"|"refused"|"done", …}. Exit 0 when the condition was met, 1 otherwise.

import { parseArgs } from 'node:util';
import WebSocket from 'ws';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string', default: process.env.TOKEN ?? '' },
    auth: { type: 'string', default: 'query' },
    channel: { type: 'string', multiple: true, default: [] },
    send: { type: 'string', multiple: true, default: [] },
    count: { type: 'string' },
    until: { type: 'string' },
    'until-close': { type: 'boolean', default: false },
    'timeout-ms': { type: 'string', default: '10000' },
    reconnect: { type: 'boolean', default: false },
    origin: { type: 'string' },
  },
});

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
function end(code, line) {
  process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(code));
}
const fail = (reason) => end(1, { event: 'failed', reason });

const expected = options.until === undefined ? null : JSON.parse(options.until);
const wanted = options.count === undefined ? null : Number(options.count);
if (!options.url) fail('--url is required');
if (!['query', 'header', 'message', 'none'].includes(options.auth)) fail(`unknown --auth ${options.auth}`);

let frames = 0;
let stats = 0;
let connections = 0;
setTimeout(() => fail(`condition not met in ${options['timeout-ms']} ms; frames ${frames}, stats ${stats}`), Number(options['timeout-ms']));

// The expectation names keys of `data`, or of the frame itself (`{"type":"pong"}`).
function meets(frame) {
  return Object.entries(expected).every(([key, value]) => (frame.data?.[key] ?? frame[key]) === value);
}

function connect() {
  connections += 1;
  const url = new URL(options.url);
  const headers = {};
  if (options.auth === 'query') url.searchParams.set('token', options.token);
  if (options.auth === 'header') headers.authorization = `Bearer ${options.token}`;
  if (options.origin) headers.origin = options.origin;
  const socket = new WebSocket(url, { headers });

  socket.on('open', () => {
    print({ event: 'open', connection: connections });
    if (options.auth === 'message') socket.send(JSON.stringify({ type: 'auth', token: options.token }));
    for (const channel of options.channel) socket.send(JSON.stringify({ type: 'subscribe', data: { channel } }));
    for (const raw of options.send) socket.send(raw);
  });
  socket.on('message', (bytes, isBinary) => {
    const text = bytes.toString('utf8');
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return fail(`a frame is not JSON: ${text.slice(0, 200)}`);
    }
    if (isBinary || frame === null || typeof frame !== 'object' || Array.isArray(frame)) {
      return fail(`a frame is not one JSON object in a text message: ${text.slice(0, 200)}`);
    }
    print({ event: 'frame', connection: connections, frame });
    frames += 1;
    if (frame.type === 'stats') stats += 1;
    if ((wanted !== null && frames >= wanted) || (expected !== null && meets(frame))) {
      return end(0, { event: 'done', frames, stats, connections });
    }
    return undefined;
  });
  socket.on('unexpected-response', (_request, response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (chunk) => { body += chunk; });
    response.on('end', () => end(1, { event: 'refused', status: response.statusCode, body }));
  });
  socket.on('error', (error) => {
    if (!options.reconnect) fail(`${error.code ?? ''} ${error.message}`.trim());
  });
  socket.on('close', (code, reason) => {
    print({ event: 'close', code, reason: reason.toString('utf8') });
    if (options['until-close']) end(0, { event: 'done', frames, stats, connections });
    else if (options.reconnect) setTimeout(connect, Math.random() * Math.min(3000, 100 * 2 ** Math.min(connections, 5)));
    else fail(`closed with ${code} before the condition was met`);
  });
}

connect();
