// Plays random packet sequences against npm's `socket.io` and against Pulso, and compares what a client sees.
//
//   node socketio_differential.mjs --url http://127.0.0.1:8080 --secret … --hook-key … --cloud-keys tenant:key,… [--seed 1]
//     [--count 100] [--interval MS --timeout MS] [--heartbeats] [--script '{"transport":…,"steps":[…]}'] [--all]
//
// As many sequences are played at once as there are tenants, each with a tenant of its own, of which nothing may be pending.
// First come the sequences made by hand (with --heartbeats those alone that need short intervals), then --count random ones.
// Pulso has to have the same intervals, `MAX_MESSAGE_BYTES` of 16384, and room for whatever one client says. Prints JSON lines:
// {"event":"played","seed":…} for each sequence (with --all all that was seen),
// {"event":"difference","seed":…,"sequence":…,"theirs":…,"ours":…} for each that is not meant, with the shortest sequence that shows
// it, and at last {"event":"done","played":…,"differences":…,"unused":[…]}: differences said to be meant that no sequence shows.

import { parseArgs } from 'node:util';
import { BY_HAND, HEARTBEATS } from './differential/by_hand.mjs';
import { isSame, MEANT, meant } from './differential/meant.mjs';
import { reference } from './differential/reference.mjs';
import { passes, play, script } from './differential/steps.mjs';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    secret: { type: 'string' },
    'hook-key': { type: 'string' },
    'cloud-keys': { type: 'string' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '100' },
    interval: { type: 'string', default: '25000' },
    timeout: { type: 'string', default: '20000' },
    heartbeats: { type: 'boolean', default: false },
    script: { type: 'string' },
    all: { type: 'boolean', default: false },
  },
});
const { secret } = options;
const tenants = options['cloud-keys'].split(',').map((pair) => {
  const [name, key] = pair.split(':');
  return { name, key };
});

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const [pingInterval, pingTimeout] = [Number(options.interval), Number(options.timeout)];
const theirs = await reference({ secret, tenants, pingInterval, pingTimeout, maxPayload: 16_384 });
async function post(path, key, body) {
  const headers = { 'content-type': 'application/json', 'x-api-key': key };
  const answer = await fetch(`${options.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`${path} answers ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const hook = (path, body) => post(path, options['hook-key'], body);
const ours = {
  url: options.url,
  emit: (_, __, body) => hook('/notify/order/status', body),
  change: ({ name }, change) => hook('/notify/sync', { ...change, tenant: name }),
  confirm: async ({ key }) => {
    const pull = (confirmed) => post('/sync/pull-changes', key, confirmed);
    const { pending_orders: confirmedOrders, updated_customers: confirmedCustomerIds } = await pull({});
    await pull({ confirmedOrders, confirmedCustomerIds });
  },
};

let rooms = 0;
async function both(sequence, tenant) {
  rooms += 1;
  const restaurant = `r-${rooms}`;
  const shown = passes({ secret, key: tenant.key, restaurant });
  const [their, our] = await Promise.all([theirs, ours].map((server) => play(sequence, server, shown, { restaurant, tenant })));
  return { theirs: their, ours: our };
}

/** Where they differ without being meant to; nothing if nowhere. `used` takes the names of the differences that are meant. */
function difference(sequence, seen, used) {
  for (let at = 0; at < sequence.steps.length; at += 1) {
    const [their, our] = [seen.theirs[at], seen.ours[at]];
    if (their === undefined && our === undefined) return undefined;
    if (their && our && isSame(sequence.steps[at], their, our)) continue;
    const name = their && our && meant(sequence.steps[at], their, our);
    // From there on they are not in the same state.
    if (name !== undefined) return void used.add(name);
    return { at, theirs: their, ours: our };
  }
  return undefined;
}

const without = (list, at) => list.filter((_, one) => one !== at);

/** The shortest sequence that still shows a difference, and how it was played. */
async function shrink(sequence, seen, tenant) {
  let shortest = { sequence, seen };
  const tries = async (steps) => {
    const smaller = { ...sequence, steps };
    const played = steps.length > 0 && (await both(smaller, tenant));
    if (!played || !difference(smaller, played, new Set())) return false;
    shortest = { sequence: smaller, seen: played };
    return true;
  };
  for (let at = sequence.steps.length - 1; at >= 0; at -= 1) {
    const { steps } = shortest.sequence;
    if (at >= steps.length || (await tries(without(steps, at)))) continue;
    for (let one = (steps[at].say?.length ?? 0) - 1; one >= 0; one -= 1) {
      const now = shortest.sequence.steps;
      const shorter = { ...now[at], say: without(now[at].say, one) };
      if (shorter.say.length > 0) await tries(now.map((step, place) => (place === at ? shorter : step)));
    }
  }
  return shortest;
}

function sequences() {
  if (options.script) return [['given', JSON.parse(options.script)]];
  if (options.heartbeats) return HEARTBEATS.map((sequence) => ['by hand', sequence]);
  const seeds = Array.from({ length: Number(options.count) }, (_, at) => Number(options.seed) + at);
  return [...BY_HAND.map((sequence) => ['by hand', sequence]), ...seeds.map((seed) => [seed, script(seed)])];
}

const used = new Set();
let [played, differences] = [0, 0];
async function one([seed, sequence], tenant) {
  played += 1;
  const seen = await both(sequence, tenant);
  print(options.all ? { event: 'played', seed, sequence, ...seen } : { event: 'played', seed });
  if (difference(sequence, seen, used) === undefined) return;
  differences += 1;
  const shortest = await shrink(sequence, seen, tenant);
  print({ event: 'difference', seed, sequence: shortest.sequence, ...shortest.seen });
}

// Most of the time is spent waiting.
const left = sequences();
await Promise.all(
  tenants.map(async (tenant) => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await one(next, tenant);
  }),
);
const unused = options.script || options.heartbeats ? [] : MEANT.map(({ name }) => name).filter((name) => !used.has(name));
print({ event: 'done', played, differences, unused });
theirs.close();
process.exit(differences > 0 || unused.length > 0 ? 1 : 0);
