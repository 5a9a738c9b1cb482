// What the client package costs and how a crowd of clients comes back, measured on a server of its own.
//
//   node bench/clients.mjs PULSO [RUNS]     PULSO: the release binary; `npm run build` in clients before
//
// Its database is one of SQLite, made by python3, or the empty one of PostgreSQL that DATABASE_URL names, by psql.
// Prints one JSON line a figure. `first`: from nothing to the first figures of 100 components, beside a bare WebSocket that says
// the same, medians of 20 in turn, in Node.js and, where it is there, in Chromium; `warm` in one process or page, `cold` each in
// one of its own. `restart` and `crash`: 300 clients whose server is told to end and is back 4 s after that, or is killed and
// started at once; how long after it answers they show what has changed meanwhile, and how many of them knock within the busiest
// 100 ms.

import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer as createHttpServer } from 'node:http';
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

/** For Node.js and for pages, which get it as its text: what is used stands in the arguments. */
const first = {
  bare: ({ port, token, negocio, WebSocket }) => new Promise((done) => {
    const from = performance.now();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?v=2`);
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: 'auth', token }));
      socket.send(JSON.stringify({ type: 'subscribe', channel: `estadisticas:${negocio}` }));
    };
    socket.onmessage = ({ data }) => {
      if (JSON.parse(data).type !== 'stats') return;
      done(performance.now() - from);
      socket.close();
    };
  }),
  client: ({ port, token, negocio, components, WebSocket, Pulso }) => new Promise((done) => {
    const from = performance.now();
    const pulso = new Pulso({ url: `http://127.0.0.1:${port}`, getToken: () => token, WebSocket });
    let missing = components;
    for (let n = 0; n < components; n += 1) {
      const off = pulso.stats(negocio).on('value', () => {
        off();
        if (--missing > 0) return;
        done(performance.now() - from);
        pulso.close();
      });
    }
  }),
};
const given = (port) => ({ port, token: token(), negocio: NEGOCIO, components: COMPONENTS });

if (process.argv[2] === '--once') {
  console.log(await first[process.argv[3]]({ ...given(process.argv[4]), WebSocket, Pulso }));
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

const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module">import { Pulso } from "/index.js"; window.Pulso = Pulso;</script>';

/** In Chromium: all in one page that has done so before, or each in a fresh one. */
async function inPages(port) {
  const { chromium } = createRequire(new URL('../tests/clients/', import.meta.url))('playwright-core');
  const built = new URL('../clients/client/dist/', import.meta.url);
  const site = createHttpServer(({ url }, response) => {
    const isScript = url === '/index.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? readFileSync(new URL('index.js', built)) : PAGE);
  }).listen(0, '127.0.0.1');
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  const page = await browser.newPage();
  const fresh = () => page.goto(`http://127.0.0.1:${site.address().port}/`, { waitUntil: 'load' });
  const measure = (who) => page.evaluate(`(${first[who]})({ ...${JSON.stringify(given(port))}, WebSocket, Pulso })`);
  await fresh();
  await measure('bare');
  await measure('client');
  const warm = await inTurn(measure);
  const cold = await inTurn(async (who) => {
    await fresh();
    return measure(who);
  });
  await browser.close();
  site.close();
  return { warm, cold };
}

// ---- a server of its own ----

const [, , binary, runs = '3'] = process.argv;
if (!binary) {
  console.error('node bench/clients.mjs PULSO [RUNS]');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'pulso-clients-'));
const file = join(folder, 'citas.db');
const { DATABASE_URL = `sqlite://${file}` } = process.env;
const PYTHON = 'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()';
const sql = (text) => (DATABASE_URL.startsWith('sqlite') ? execFileSync('python3', ['-c', PYTHON, file, text]) : execFileSync('psql', ['-qc', text, DATABASE_URL]));
let total = 0;
function add() {
  sql(`INSERT INTO citas VALUES ('${NEGOCIO}', '2020-01-01', 'pendiente')`);
  total += 1;
}
const port = await new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = server.address();
    server.close(() => done(free));
  });
});
let running;

async function start() {
  const env = { ...process.env, DATABASE_URL, JWT_SECRET: SECRET, PORT: String(port), LISTEN_ADDR: '127.0.0.1', WS_ALLOWED_ORIGINS: '*' };
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
  const crowd = Array.from({ length: CLIENTS }, () => new Pulso({ url: `http://127.0.0.1:${port}`, token: token(), WebSocket: Knocking, transports: ['websocket'] }));
  const figures = crowd.map((pulso) => pulso.stats(NEGOCIO));
  while (!figures.every(({ latest }) => latest?.total_citas === total)) await pause(20);
  // A line that lived less than 5 s does not begin its backoff anew.
  await pause(6_000);
  knocks.length = 0;
  const leftAt = Date.now();
  await end(signal);
  add();
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
    const here = { ...given(port), WebSocket, Pulso };
    await first.bare(here);
    await first.client(here);
    say({ run, first: 'Node.js, warm', ...await inTurn((who) => first[who](here)) });
    const self = fileURLToPath(import.meta.url);
    say({ run, first: 'Node.js, cold', ...await inTurn((who) => Number(execFileSync(process.execPath, [self, '--once', who, String(port)]))) });
    if (existsSync('/usr/bin/chromium')) {
      const { warm, cold } = await inPages(port);
      say({ run, first: 'Chromium, warm', ...warm });
      say({ run, first: 'Chromium, cold', ...cold });
    }
    say({ run, crowd: 'restart', ...await comesBack('SIGTERM', AWAY_MS) });
    say({ run, crowd: 'crash', ...await comesBack('SIGKILL', 0) });
  }
} finally {
  running?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
