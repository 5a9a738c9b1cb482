// A program on our client package as it is packed, told what to do line by line.
//
//   node package_client.mjs FOLDER [cjs]     FOLDER/node_modules has the package
//
// A command is one JSON object a line, answered by one: `new`, `take`, `close`, `call`, `until`, `read`, `end`.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';

const [folder, kind] = process.argv.slice(2);
const { scope } = JSON.parse(readFileSync(new URL('../../clients/scope.json', import.meta.url)));
const home = join(folder, 'node_modules', scope, 'client');
const { exports } = JSON.parse(readFileSync(join(home, 'package.json')));
const library = kind === 'cjs'
  ? createRequire(join(folder, 'program.cjs'))(`${scope}/client`)
  : await import(pathToFileURL(join(home, exports['.'].import.default)));

let unhandled = 0;
process.on('uncaughtException', () => unhandled++);
process.on('unhandledRejection', () => unhandled++);

/** What was opened, and what was said on it. */
const sockets = [];
class Counted extends WebSocket {
  constructor(address) {
    super(address);
    this.sent = [];
    this.address = address;
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
    super.send(text);
  }
}

let pulso;
let asked = [];
const taken = {};
const statuses = [];
const errors = [];

const it = () => ({
  status: { ...pulso.status, error: pulso.status.error && { code: pulso.status.error.code } },
  session: pulso.session,
  asked,
  sockets: sockets.length,
  open: sockets.filter(({ readyState }) => readyState < 2).length,
  addresses: sockets.map(({ address }) => address),
  sent: sockets.flatMap(({ sent }) => sent.map(({ type }) => type)),
  errors,
  statuses,
  unhandled,
  taken: Object.fromEntries(Object.entries(taken).map(([name, one]) => [name, {
    channel: one.subscription.channel, state: one.subscription.state, latest: one.subscription.latest, error: one.subscription.error?.code,
    values: one.values, resyncs: one.resyncs,
  }])),
});

const commands = {
  new({ options = {}, tokens, device }) {
    const given = { WebSocket: Counted, ...options };
    if (tokens) {
      let next = 0;
      given.getToken = async ({ reason }) => {
        asked.push(reason);
        return tokens[Math.min(next++, tokens.length - 1)];
      };
    }
    pulso = device ? library.kiosk({ ...given, device }) : new library.Pulso(given);
    if (device) commands.hear('device', pulso.orders);
    pulso.on('status', ({ state }) => statuses.push(state));
    pulso.on('error', ({ code, message }) => errors.push({ code, message }));
  },
  hear(name, subscription) {
    const one = taken[name] = { subscription, values: [], resyncs: 0 };
    subscription.on('value', (value) => one.values.push(value));
    subscription.on('resync', () => one.resyncs++);
  },
  take({ names, kind: of, with: args = [] }) {
    for (const name of names) commands.hear(name, pulso[of](...args));
  },
  leave({ name }) {
    taken[name].subscription.close();
  },
  call({ method, with: args = [] }) {
    pulso[method](...args);
  },
  async until({ js }) {
    const isSo = new Function('it', `return ${js}`);
    for (const from = Date.now(); !isSo(it());) {
      if (Date.now() - from > 55_000) throw new Error(`in vain: ${js}: ${JSON.stringify(it()).slice(0, 2_000)}`);
      await pause(10);
    }
    return it();
  },
  eval({ js }) {
    return { value: new Function('it', `return ${js}`)(it()) };
  },
  read: it,
  end() {
    pulso.close();
    input.close();
    const from = Date.now();
    process.on('exit', () => process.stdout.write(`${JSON.stringify({ event: 'ended', after: Date.now() - from, unhandled })}\n`));
  },
};

const input = createInterface({ input: process.stdin });
for await (const line of input) {
  const { do: name, ...rest } = JSON.parse(line);
  try {
    process.stdout.write(`${JSON.stringify({ ok: true, ...await commands[name](rest) })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ ok: false, error: String(error.stack) })}\n`);
  }
}
