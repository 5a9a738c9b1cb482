// Sequences made by hand: what clients do every day, what proxies do to them, and each difference that is meant.

const both = (steps) => ['websocket', 'polling'].map((transport) => ({ transport, steps }));
const say = (...packets) => ({ say: packets });
const [orders, sync] = ['/', '/sync'].map((connect) => ({ connect, with: 'both' }));
const ask = '42/sync,["sync:orders"]';
const event = (namespace, more = '') => `42${namespace}${more}["x",1]`;

export const BY_HAND = [
  // Two namespaces on one session, one left and entered again, the other none the worse.
  ...both([say(orders), say(sync), { events: 3 }, say(event('/sync,', '7')), say('41'), { events: 3 }, say(event('/sync,')), say(orders), { events: 20 }, say('41/sync,'), { events: 1 }]),
  ...both([say(orders, sync), { events: 40 }, say('3', event(''), '6', '430[1]', event('/sync,', '0'))]),
  // What is pending is announced to who comes and to who is there, and the orders among it are given to who asks.
  ...both([{ changes: 2, entity: 'order' }, say(orders, sync), say(ask), { changes: 3, entity: 'order' }, say(ask, event(''), ask), { confirm: true }, say(ask), { changes: 1, entity: 'customer' }, say(ask)]),
  ...both([say(sync), say('41/sync,'), { changes: 1, entity: 'order' }, say(sync), { confirm: true }, say('41/sync,'), say(sync), { changes: 1, entity: 'order' }]),
  { transport: 'polling', steps: [say(sync), { upgrade: ['2probe', '5'], events: 0, changes: 1, entity: 'order' }, { changes: 1, entity: 'order' }, say(ask)] },
  // Refused, and then let in.
  ...both([say({ connect: '/', with: 'expired' }), say({ connect: '/', with: 'none' }), say({ connect: '/admin', with: 'both' }), say(orders), { events: 2 }]),
  // What is said to a namespace before one is in it, or after.
  ...both([say(event(''))]),
  ...both([say(orders), say(event('/sync,'))]),
  ...both([say(orders), say(sync), say('41'), say(event(''))]),
  ...both([say(orders), say(orders)]),
  // Attachments: all, too few, too many, too large together, and declared beyond all measure.
  ...both([say(orders), say('452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', 'bAQID', 'b'), { events: 1 }]),
  ...both([say(orders), say('451-["x",{"_placeholder":true,"num":0}]'), say(event(''))]),
  ...both([say(orders), say('bAQID')]),
  ...both([say(orders), say('451000-["x"]')]),
  // Upgrades: a good one, one behind a bad one, and one that goes quiet.
  { transport: 'polling', steps: [say(orders, sync), { upgrade: ['2probe', '5'], events: 5 }, { events: 5 }, say('41'), say(event('/sync,'))] },
  ...[['close'], ['reset'], ['2probe', 'close'], ['2probe', 'reset'], ['x'], ['2probe', '40']].map((stages) => ({
    transport: 'polling',
    steps: [say(orders), { upgrade: stages, events: 2 }, { events: 3 }, { upgrade: ['2probe', '5'], events: 2 }, { events: 3 }],
  })),
  ...[[], ['2probe']].map((stages) => ({
    transport: 'polling',
    steps: [say(orders), { upgrade: stages, events: 2 }, { events: 20 }, { upgrade: ['2probe', '5'], events: 2 }, say('41'), say(orders)],
  })),
  // Meant.
  ...both([say({ connect: '/', with: 'list' })]),
  ...both([say(orders), { events: 1 }, say('41', orders), { events: 1 }]),
  { transport: 'websocket', steps: [say(orders), say('1')] },
  { transport: 'polling', steps: [{ raw: Buffer.from('40/x,\n').toString('base64') }] },
  { transport: 'polling', steps: [say(orders), { meanwhile: true }] },
  { transport: 'polling', steps: [say(orders), { type: 'application/octet-stream' }] },
  ...both([say(orders), say('41'), { pause: 2_000 }]),
];

/** For servers that ask soon whether a client is there. */
export const HEARTBEATS = [
  ...both([say(orders), { beats: 3 }, { events: 3 }, { beats: 1 }]),
  // Somebody who talks and does not answer is gone, whatever it says.
  ...both([say(orders), { beats: 1 }, { mute: true }]),
  ...both([{ mute: true }]),
  // A heartbeat that crosses the change of transport.
  { transport: 'polling', steps: [say(orders), { beats: 1 }, { upgrade: ['2probe', '5'], events: 2 }, { beats: 2 }, { events: 2 }, { mute: true }] },
  { transport: 'polling', steps: [say(orders), { upgrade: ['2probe'], events: 2 }, { beats: 3 }, { events: 2 }] },
];
