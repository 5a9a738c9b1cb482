// What the client package costs and how a crowd of clients comes back, measured on a server of its own.
//
//   node bench/clients.mjs PULSO [RUNS]     PULSO: the release binary; `npm run build` in clients before, python3 for the database
//
// Prints one JSON line a figure. `first`: from nothing to the first figures of 100 components, beside a bare WebSocket that says
// the same, medians of 20 in turn; `warm` in one process, `cold` each in a process of its own. `restart` and `crash`: 300 clients
// whose server is told to end and is back 4 s after that, or killed and started at once; how long after it answers they show what has changed meanwhile,
// and how many of them knock within the busiest 100 ms.

import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const WebSocket = createRequire(new URL('../tests/clients/', import.meta.url))('ws');
const { Pulso } = await import(new URL('../clients/client/dist/index.js', import.meta.url));

const NEGOCIO = '6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f';
const OWNER = 'ana';
const SECRET = 'a secret of this measurement, longer than 32 bytes';
const ROUNDS = 20;
const COMPONENTS = 100;
const CLIENTS = 300;
const AWAY_MS = 4_000;
const WINDOW_MS = 100;

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
function token() {
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ id: OWNER, exp: Math.floor(Date.now() / 1_000) + 36_000 })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}
const at = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
const rounded = (ms) => Math.round(ms * 100) / 100;
const say = (figure) => console.log(JSON.stringify(figure));

// ---- the first value ----

const first = {
  bare: (port) => new Promise((done) => {
    const mine = token();
    const from = performance.now();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?v=2`);
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: 'auth', token: mine }));
      socket.send(JSON.stringify({ type: 'subscribe', channel: `estadisticas:${NEGOCIO}` }));
    };
    socket.onmessage = ({ data }) => {
      if (JSON.parse(data).type !== 'stats') return;
      done(performance.now() - from);
      socket.close();
    };
  }),
  client: (port) => new Promise((done) => {
    const mine = token();
    const from = performance.now();
    const pulso = new Pulso({ url: `http://127.0.0.1:${port}`, getToken: () => mine, WebSocket });
    let missing = COMPONENTS;
    for (let n = 0; n < COMPONENTS; n += 1) {
      const off = pulso.stats(NEGOCIO).on('value', () => {
        off();
        if (--missing > 0) return;
        done(performance.now() - from);
        pulso.close();
      });
    }
  }),
};

if (process.argv[2] === '--once') {
  console.log(await first[process.argv[3]](process.argv[4]));
  process.exit();
}

async function inTurn(measure) {
  const took = { bare: [], client: [] };
  // Whoever goes first in a round has the server's caches colder.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const who of round % 2 ? ['client', 'bare'] : ['bare', 'client']) took[who].push(await measure(who));
  }
  const [bare, client] = [at(took.bare, 0.5), at(took.client, 0.5)];
  return { bare_ms: rounded(bare), client_ms: rounded(client), ratio: rounded(client / bare) };
}

// ---- a server of its own ----

const [, , binary, runs = '3'] = process.argv;
if (!binary) {
  console.error('node bench/clients.mjs PULSO [RUNS]');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'pulso-clients-'));
const database = join(folder, 'citas.db');
const sql = (text) => execFileSync('python3', ['-c', 'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()', database, text]);
const add = () => sql(`INSERT INTO citas VALUES ('${NEGOCIO}', '2020-01-01', 'pendiente')`);
const port = await new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = server.address();
    server.close(() => done(free));
  });
});
let running;

async function start() {
  const env = { ...process.env, DATABASE_URL: `sqlite://${database}`, JWT_SECRET: SECRET, PORT: String(port), LISTEN_ADDR: '127.0.0.1' };
  running = spawn(binary, ['serve'], { env, stdio: 'ignore' });
  while (!await fetch(`http://127.0.0.1:${port}/health`).then(({ ok }) => ok, () => false)) {
    if (running.exitCode !== null) throw new Error(`${binary} has ended`);
    await pause(5);
  }
}
async function end(signal) {
  const gone = new Promise((done) => running.once('exit', done));
  running.kill(signal);
  await gone;
}

// ---- a crowd ----

const knocks = [];
class Knocking extends WebSocket {
  constructor(address) {
    super(address);
    knocks.push(Date.now());
  }
}
const busiest = () => Math.max(...knocks.map((from) => knocks.filter((moment) => moment >= from && moment < from + WINDOW_MS).length));

async function comesBack(signal, awayFor) {
  let total = Number(execFileSync('python3', ['-c', 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM citas").fetchone()[0])', database]));
  const crowd = Array.from({ length: CLIENTS }, () => new Pulso({ url: `http://127.0.0.1:${port}`, token: token(), WebSocket: Knocking, transports: ['websocket'] }));
  const figures = crowd.map((pulso) => pulso.stats(NEGOCIO));
  while (!figures.every(({ latest }) => latest?.total_citas === total)) await pause(20);
  // A line that lived less than 5 s does not begin its backoff anew.
  await pause(6_000);
  knocks.length = 0;
  const leftAt = Date.now();
  await end(signal);
  add();
  total += 1;
  await pause(Math.max(0, leftAt + awayFor - Date.now()));
  const currentAt = figures.map((one) => new Promise((done) => one.on('value', ({ total_citas }) => total_citas === total && done(Date.now()))));
  await start();
  const from = Date.now();
  const took = (await Promise.all(currentAt)).map((moment) => moment - from);
  for (const pulso of crowd) pulso.close();
  return { p95_ms: at(took, 0.95), last_ms: Math.max(...took), knocks: knocks.length, busiest_window: busiest() };
}

try {
  sql(`CREATE TABLE negocios (id text PRIMARY KEY, admin_negocio_id text);
    CREATE TABLE citas (negocio_id text NOT NULL, fecha date NOT NULL, estado varchar(20) NOT NULL);
    INSERT INTO negocios VALUES ('${NEGOCIO}', '${OWNER}');`);
  await start();
  for (let run = 1; run <= Number(runs); run += 1) {
    await first.bare(port);
    await first.client(port);
    say({ run, first: 'warm', ...await inTurn((who) => first[who](port)) });
    const self = fileURLToPath(import.meta.url);
    say({ run, first: 'cold', ...await inTurn((who) => Number(execFileSync(process.execPath, [self, '--once', who, String(port)]))) });
    say({ run, crowd: 'restart', ...await comesBack('SIGTERM', AWAY_MS) });
    say({ run, crowd: 'crash', ...await comesBack('SIGKILL', 0) });
  }
} finally {
  running?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
