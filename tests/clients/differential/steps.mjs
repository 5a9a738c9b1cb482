// What a client may do in a session, step by step: at random from a seed, and played against any server.

import { createHmac } from 'node:crypto';
import { REST, Session, sleep } from './session.mjs';

/** Mulberry32: the same numbers from the same seed, everywhere. */
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count) => Math.floor(next() * count);
  return { below, pick: (list) => list[below(list.length)], chance: (share) => next() < share };
}

export function sign(claims, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
}

/** Whatever may be shown at the door, by name: a script says the name, for tokens are long. */
export function passes({ secret, key, restaurant }) {
  const good = { userId: 'u-1', role: 'WAITER', restaurantId: restaurant, exp: Math.floor(Date.now() / 1000) + 3_600 };
  const token = sign(good, secret);
  return {
    good: { token },
    key: { apiKey: key },
    both: { token, apiKey: key },
    none: undefined,
    empty: {},
    wrong: { token: sign(good, `${secret}-no`), apiKey: 'no' },
    expired: { token: sign({ ...good, exp: 1_000 }, secret) },
    nowhere: { token: sign({ ...good, restaurantId: undefined }, secret) },
    list: [token],
    number: 5,
    text: 'abc',
  };
}

const NAMESPACES = ['/', '/', '/', '/sync', '/sync', '/admin', '/sync/'];
const prefix = (namespace) => (namespace === '/' ? '' : `${namespace},`);

/** No packet, or none of a client's. */
const GARBAGE = [
  '', '2', '2x', '3', '3x', '0', '0{}', '6', '7', '8abc', 'x', '4', '4x', '47', '49[]', '42{}', '42"x"', '42[', '42[]',
  '42[null]', '42[{}]', '42[[]]', '42[true]', '42[5]', '42["connect"]', '42["disconnect"]', '42["x"]x', '42["x"',
  '42/sync', '42/sync,', '42/nowhere,["x"]', '41/nowhere,', '41{}', '41/sync,5', '44', '44{"message":"x"}', '43', '43[]', '43{}',
  '4317', '45', '450-["x"]', '45["x"]', '45-["x"]', '451["x"]', '45999999-["x"]', '451-', '46', '461-3[]', '40{', '40[', '40"', '40tru',
  '40/sync', '40/sync{"apiKey":"x"}', '40/sync?x=1,', '40,{}', '40/', '40/ñandú,', '42["\\ud83d"]', '42["\u0000"]', '42[-1]',
  '42[1e999]', '42 ["x"]', '42[ "x" ]', '42["newListener"]', '429007199254740993["x"]', '4299999999999999999999["x"]',
];

const SHOWN = ['good', 'both', 'key', 'none', 'empty', 'wrong', 'expired', 'nowhere', 'list', 'number', 'text'];

/** A client that does mostly what clients do, and knows where it is. */
class Client {
  constructor(chance) {
    Object.assign(this, chance);
    this.inside = new Set();
  }

  /** Where it is, mostly. */
  somewhere() {
    return this.inside.size > 0 && this.chance(0.85) ? this.pick([...this.inside]) : this.pick(NAMESPACES);
  }

  connect() {
    const outside = ['/', '/sync'].filter((namespace) => !this.inside.has(namespace));
    const namespace = outside.length > 0 && this.chance(0.8) ? this.pick(outside) : this.pick(NAMESPACES);
    const shown = this.chance(0.6) ? 'both' : this.pick(SHOWN);
    if (shown === 'both' || shown === (namespace === '/' ? 'good' : 'key')) this.inside.add(namespace);
    return { connect: namespace, with: shown };
  }

  disconnect() {
    const namespace = this.somewhere();
    this.inside.delete(namespace);
    return `41${prefix(namespace)}`;
  }

  binary() {
    const declared = 1 + this.below(3);
    const count = this.chance(0.1) ? this.below(4) : declared;
    const places = Array.from({ length: declared }, (_, num) => `,{"_placeholder":true,"num":${num}}`).join('');
    const head = `4${this.pick(['5', '5', '6'])}${declared}-${prefix(this.somewhere())}${this.pick(['', '7'])}`;
    const body = head.startsWith('46') ? `[1${places}]` : `["x"${places}]`;
    return [head + body, ...Array.from({ length: count }, () => `b${Buffer.alloc(this.below(40), 'ab').toString('base64')}`)];
  }

  packets() {
    switch (this.below(14)) {
      case 0: case 1: case 2: return [this.connect()];
      case 3: return [this.disconnect()];
      case 4: return [this.disconnect(), this.connect()];
      case 5: case 6: case 7: return [`42${prefix(this.somewhere())}${this.pick(['', '0', '17'])}["${this.pick(['x', 'join', 'ñ', 'sync:orders'])}",{"a":[1,null]}]`];
      case 8: return [`43${prefix(this.somewhere())}${this.below(3)}[1]`];
      case 9: return this.binary();
      case 10: return [this.pick(GARBAGE)];
      case 11: return [this.pick(['3', '6', '3', '6', '1'])];
      default: return [...this.packets(), ...this.packets()];
    }
  }
}

const UPGRADES = [
  ['2probe', '5'], ['2probe', '5'], ['2probe', '5'], ['close'], ['reset'], [], ['2probe'], ['2probe', 'close'],
  ['2probe', 'reset'], ['2'], ['3probe'], ['40'], ['x'], ['2probe', '40'],
];

/** Bodies, in base64: separators alone, letters that are none, several packets. */
const RAW = ['', '\x1e', '\x1e'.repeat(500), '3\x1e', '\x1e3', '40/x,\n', '\ufeff3', '3\x1e3\x1e3', '42["é"]', '6\x1e6', 'bAA=='].map((text) =>
  Buffer.from(text).toString('base64')).concat(['NDLp', 'NDIvw6k=', '/w==']);

/** A session's script. */
export function script(seed) {
  const client = new Client(random(seed));
  const transport = client.pick(['websocket', 'polling', 'polling']);
  const steps = [];
  // Nothing much happens to who is nowhere.
  if (client.chance(0.8)) {
    steps.push({ say: [{ connect: '/', with: 'both' }] });
    client.inside.add('/');
  }
  for (let count = 2 + client.below(12); count > 0; count -= 1) {
    switch (client.below(transport === 'polling' ? 18 : 14)) {
      case 0: case 1: case 2: steps.push({ events: 1 + client.below(20) }); break;
      case 4: steps.push({ changes: 1 + client.below(4), entity: client.pick(['order', 'order', 'customer']) }); break;
      case 5: steps.push(client.inside.has('/sync') ? { say: ['42/sync,["sync:orders"]'] } : client.pick([{ changes: 1, entity: 'order' }, { confirm: true }])); break;
      case 3: steps.push({ long: client.pick([16_000, 16_000, 16_383, 16_384, 16_385, 40_000]) }); break;
      case 14: steps.push(client.pick([{ raw: client.pick(RAW) }, { overlap: true }, { giveUp: true }, { meanwhile: true }])); break;
      case 15: case 16: case 17: steps.push({ upgrade: client.pick(UPGRADES), events: client.below(3), changes: client.below(2), entity: 'order' }); break;
      default: steps.push({ say: client.packets() });
    }
  }
  return { transport, steps };
}

/** The packet of the connection to a namespace. */
function packet(step, shown) {
  if (step.connect === undefined) return step;
  const auth = shown[step.with];
  return `40${prefix(step.connect)}${auth === undefined ? '' : JSON.stringify(auth)}`;
}

/**
 * What a client sees of a script, step by step. `emit(name, restaurant, body)` and `change(tenant, change)` are the hooks,
 * `confirm(tenant)` leaves nothing pending.
 */
export async function play({ transport, steps }, { url, emit, change, confirm }, shown, { restaurant, tenant }) {
  const session = await Session.open(url, transport);
  let number = 0;
  let [isPending, hasRung] = [false, false];
  const happen = async (count) => {
    for (let left = count; left > 0; left -= 1) {
      number += 1;
      await emit('order.status.changed', restaurant, { orderId: `o-${number}`, restaurantId: restaurant, newStatus: 'READY' });
    }
  };
  const ring = async ({ changes = 0, entity }) => {
    for (let left = changes; left > 0; left -= 1) {
      number += 1;
      isPending = hasRung = true;
      // An id that is pending already gives way to the newer.
      await change(tenant, { entity, id: `${entity}-${number % 3}`, payload: { number } });
    }
  };
  const between = async (step) => {
    await happen(step.events);
    await ring(step);
  };
  const seen = [];
  try {
    for (const step of steps) {
      const line = { by: session.socket ? 'websocket' : 'polling' };
      if (step.upgrade !== undefined) line.upgrade = session.socket ? ['over'] : await session.upgrade(step.upgrade, () => between(step));
      else if (step.events !== undefined) await happen(step.events);
      else if (step.changes !== undefined) await ring(step);
      else if (step.confirm) {
        await confirm(tenant);
        isPending = false;
      }
      else if (step.beats !== undefined) await session.beat(step.beats);
      else if (step.mute) await session.beMute();
      else if (step.long !== undefined) await session.say([`42["${'x'.repeat(step.long - 6)}"]`]);
      // What has gone over to a WebSocket has none of these.
      else if (step.raw !== undefined) await (session.socket ?? session.post(Buffer.from(step.raw, 'base64')));
      else if (step.overlap) await (session.socket ?? session.overlap());
      else if (step.meanwhile) await (session.socket ?? session.postMeanwhile());
      else if (step.type !== undefined) await (session.socket ?? session.post('3', { type: step.type }));
      else if (step.giveUp) await (session.socket ?? session.giveUp());
      else if (step.pause !== undefined) await sleep(step.pause);
      else await session.say(step.say.map((one) => packet(one, shown)));
      await session.settle();
      const asked = step.say?.filter((packet) => /^42\/sync,\d*\["sync:orders"/.test(packet)).length;
      await session.told({ hasChanged: step.changes > 0, isPending, asked });
      if (session.inside.size === 0) line.nowhere = Date.now() - session.nowhereSince;
      seen.push({ ...line, seen: session.take(), ...(session.ended === undefined ? {} : { ended: session.ended, isRefused: session.isRefused }) });
      if (session.ended !== undefined) break;
    }
  } finally {
    await session.close();
    if (hasRung) {
      await confirm(tenant);
      // Nobody hears the last of it who comes next.
      await sleep(REST);
    }
  }
  return seen;
}
