// What an application may pass, and what it is told when it must not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import { build } from 'esbuild';
import { kiosk, local, Pulso, tab } from '../src/index.ts';
import { parse } from '../src/exact.ts';
import { ANA, HELLO, heard, sale, settled, Socket, stats, Time, token, world } from './world.ts';

test('an address that is none, or carries a secret, is refused by name', () => {
  for (const url of ['', 'ftp://pulso.example.com', 'pulso.example.com', 'wss://ana:secret@pulso.example.com', 'https://pulso.example.com/?token=x', 'https://pulso.example.com/?a=1&token=x']) {
    assert.throws(() => new Pulso({ url, WebSocket: Socket as any }), (error: Error) => error instanceof TypeError && error.message.startsWith('url ') && !error.message.includes('secret'), url);
  }
});

test('a path is a prefix, http and ws are one', async () => {
  for (const [url, expected] of [
    ['http://pulso.example.com/live/', 'ws://pulso.example.com/live/ws?v=2&since='], ['wss://pulso.example.com:8443', 'wss://pulso.example.com:8443/ws?v=2&since='],
    ['HTTPS://pulso.example.com/?region=eu', 'wss://pulso.example.com/ws?region=eu&v=2&since='],
  ] as const) {
    const { pulso } = world({ url: new URL(url) });
    pulso.connect();
    await settled();
    assert.equal(Socket.last.url, expected);
    pulso.close();
  }
});

test('where there is no WebSocket the constructor says what to pass', () => {
  const { WebSocket } = globalThis;
  try {
    delete (globalThis as any).WebSocket;
    assert.throws(() => new Pulso({ url: 'ws://x' }), /^TypeError: WebSocket: /);
  } finally {
    if (WebSocket) globalThis.WebSocket = WebSocket;
  }
});

test('without any token it stops and says so', async () => {
  const { pulso } = world({ token: undefined });
  pulso.stats('a');
  await settled();
  assert.deepEqual([pulso.status.state, pulso.status.error!.code, Socket.all.length], ['stopped', 'token_unavailable', 0]);
});

test('a token is passed on whatever it looks like', async () => {
  for (const text of ['not a token', token({ sub: 1 }), 'x'.repeat(10_000), 'a.%%%.c', 'a.bnVsbA.c']) {
    const { pulso } = world({ token: text });
    pulso.connect();
    await settled();
    Socket.last.opens();
    assert.equal(Socket.last.sent[0].token, text);
    pulso.close();
  }
});

test('numbers keep their digits', () => {
  const text = '{"a":45.50,"b":1234567890123456789,"c":[1,-0,1e2,0.1],"d":"45.50 \\" 7.0","e":3,"45.50":1.0}';
  assert.deepEqual(parse(text, true), { a: '45.50', b: '1234567890123456789', c: [1, '-0', '1e2', 0.1], d: '45.50 " 7.0', e: 3, '45.50': '1.0' });
  assert.deepEqual(parse('{"a":45.50}', false), { a: 45.5 });
  assert.equal(parse('{"a":01}', true), undefined);
  const own = parse('{"__proto__":{"x":1.0}}', true) as object;
  assert.equal((own as any).x, undefined);
  assert.deepEqual(Object.keys(own), ['__proto__']);
  const long = JSON.stringify({ a: '\\"'.repeat(600_000) });
  assert.deepEqual(parse(long, true), JSON.parse(long));
});

test('a listener that throws disturbs nobody, and is reported', async () => {
  const { pulso, time } = world();
  const one = pulso.stats('a');
  one.on('value', () => {
    throw new Error('of the application');
  });
  const values = heard(one);
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1));
  assert.equal(values.length, 1);
  await assert.rejects(time.pass(0), /of the application/);
});

test('a listener that comes or goes inside a listener changes nothing of the round', async () => {
  const { pulso } = world();
  const one = pulso.stats('a');
  const said: string[] = [];
  one.on('value', () => {
    said.push('first');
    off();
    one.on('value', () => said.push('late'));
  });
  const off = one.on('value', () => said.push('second'));
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1));
  assert.deepEqual(said, ['first', 'second']);
  Socket.last.says(stats('a', 2));
  assert.deepEqual(said.slice(2), ['first', 'late']);
});

test('a subscription can be looped over, observed, and is told its end', async () => {
  const { pulso } = world();
  const [figures, sales] = [pulso.stats('a'), pulso.sales('a')];
  const got: any[] = [];
  const loop = (async () => {
    for await (const event of sales) got.push(event.id);
    return 'over';
  })();
  const seen: any[] = [];
  const { unsubscribe } = figures.subscribe({ next: (value) => seen.push(value.total_citas), complete: () => seen.push('complete') });
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO }, { type: 'subscribed', channel: 'negocio:a', id: '100' }, sale(101), sale(102), stats('a', 1), stats('a', 2));
  await settled();
  assert.deepEqual([got, seen], [['101', '102'], [1, 2]]);
  const late: any[] = [];
  (figures as any)['@@observable']().subscribe((value: any) => late.push(value.total_citas));
  assert.deepEqual(late, [2]);
  unsubscribe();
  Socket.last.says(stats('a', 3));
  pulso.close();
  assert.deepEqual([seen, late, await loop], [[1, 2], [2, 3], 'over']);
});

test('ready waits for the line, and no longer than it is told', async () => {
  const { pulso, time } = world();
  const ready = pulso.ready();
  await settled();
  Socket.last.welcomes();
  assert.equal((await ready).user, 'ana');
  const other = world();
  const late = assert.rejects(other.pulso.ready({ timeout: 50 }), { code: 'timeout' });
  await other.time.pass(50);
  await late;
  const controller = new AbortController();
  const aborted = assert.rejects(other.pulso.ready({ signal: controller.signal }), { code: 'aborted' });
  controller.abort();
  await aborted;
  pulso.close();
  other.pulso.close();
  assert.deepEqual([time.waiting, other.time.waiting], [0, 0]);
});

test('a wait without an end is as long as a platform can wait', async () => {
  const { pulso, time } = world({ linger: Infinity, pingEvery: Infinity });
  const waits: number[] = [];
  const { setTimeout } = time.clock;
  time.clock.setTimeout = (act, ms) => (waits.push(ms), setTimeout(act, ms));
  const one = pulso.stats('a');
  await settled();
  Socket.last.welcomes({ expires: 9e9 });
  one.close();
  await settled();
  const other = world();
  other.time.clock.setTimeout = time.clock.setTimeout;
  void other.pulso.ready({ timeout: Infinity }).catch(() => {});
  // What is longer ends at once.
  assert.deepEqual([Math.max(...waits), waits.filter((ms) => ms === 2 ** 31 - 1).length], [2 ** 31 - 1, 4]);
  pulso.close();
  other.pulso.close();
});

test('whoever waits for a line that is closed, or that is nobody\'s any more, is told so', async () => {
  for (const end of [({ pulso }: ReturnType<typeof world>) => pulso.close(), ({ pulso }: ReturnType<typeof world>) => pulso.setToken(null)]) {
    const one = world();
    const ready = assert.rejects(one.pulso.ready({ timeout: 60_000 }), { code: 'aborted' });
    await settled();
    end(one);
    await ready;
    assert.equal(one.time.waiting, 0);
  }
  const { pulso } = world();
  pulso.close();
  await assert.rejects(pulso.ready(), { code: 'aborted' });
  pulso.connect();
  await settled();
  assert.equal(Socket.all.length, 0);
});

test('a line and a subscription end with their block, and a loop that is too slow is told so', async () => {
  const { pulso, time } = world();
  const sales = pulso.sales('a');
  const slow = sales[Symbol.asyncIterator]();
  const first = slow.next();
  await settled();
  Socket.last.welcomes();
  for (let n = 0; n <= 10_001; n++) Socket.last.says(sale(200 + n));
  assert.equal((await first).value!.id, '200');
  await assert.rejects(async () => {
    for (;;) await slow.next();
  }, { code: 'aborted' });
  sales[Symbol.dispose]();
  assert.equal(sales.state, 'closed');
  pulso[Symbol.dispose]();
  assert.deepEqual([pulso.status.state, time.waiting], ['idle', 0]);
});

test('all who ask for one device share its line, which lasts until the last of them closes', async () => {
  Socket.all = [];
  const time = new Time();
  const options = { url: 'https://pulso.example.com', device: 'ipad 101', WebSocket: Socket as any, clock: time.clock };
  const [one, other] = [kiosk(options), kiosk(options)];
  const values = [one, other].map(({ orders }) => heard<any>(orders));
  const statuses = heard<any>(one as any, 'status');
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'hello', v: 2, now: 1, ping: 25_000, silence: 45_000, id: '1' }, { type: 'subscribed', channel: 'device', id: '1' }, { type: 'pong' });
  const tell = (id: string) => Socket.last.says({ id, channel: 'device', type: 'order_status_changed', order_id: 1, status: 'READY', from_status: 'PLACED', changed_at: '' });
  tell('2');
  const heardBefore = statuses.length;
  one.close();
  one.close();
  await time.pass(6_000);
  tell('3');
  assert.deepEqual([values.map((list) => list.length), one.orders.state, other.orders.state, Socket.all.length], [[1, 2], 'closed', 'live', 1]);
  other.close();
  assert.deepEqual([Socket.open.length, time.waiting, statuses.length, other.status.state], [0, 0, heardBefore, 'idle']);
  const again = kiosk(options);
  await settled();
  assert.deepEqual([Socket.all.length, again.orders.state], [2, 'pending']);
  again.close();
  const elsewhere = [kiosk(options), kiosk({ ...options, device: 'ipad 102' }), kiosk({ ...options, url: 'https://other.example.com' })];
  await settled();
  assert.equal(Socket.open.length, 3);
  for (const line of elsewhere) line.close();
  assert.throws(() => kiosk({ ...options, device: '' }), /^TypeError: device /);
});

test('a kiosk asks on, once a minute, while its device is off', async () => {
  Socket.all = [];
  const time = new Time();
  const screen = kiosk({ url: 'https://pulso.example.com', device: 'ipad 101', WebSocket: Socket as any, clock: time.clock, random: () => 1 });
  const states = heard<any>(screen.orders);
  await settled();
  assert.equal(Socket.last.url, 'wss://pulso.example.com/ws/kiosk/orders/?v=2&device_uid=ipad%20101&since=');
  for (let minute = 0; minute < 5; minute++) {
    Socket.last.opens();
    Socket.last.closes(4001, 'unknown or inactive device');
    await time.pass(59_999);
    assert.equal(Socket.all.length, minute + 1);
    await time.pass(1);
  }
  Socket.last.opens();
  assert.deepEqual(Socket.last.sent, [{ type: 'ping' }]);
  Socket.last.says({ type: 'hello', v: 2, now: 1, ping: 25_000, silence: 45_000, id: '1' }, { type: 'subscribed', channel: 'device', id: '1' }, { type: 'pong' });
  Socket.last.says({ id: '2', channel: 'device', type: 'order_status_changed', order_id: 1, status: 'READY', from_status: 'PLACED', changed_at: '' });
  assert.deepEqual([screen.orders.state, states.length, screen.status.state], ['live', 1, 'connected']);
  screen.close();
  assert.equal(time.waiting, 0);
});

test('positions outlive the page for the same user alone, and storage that does not work is passed over', async () => {
  const kept = new Map<string, string>();
  const store = { read: (key: string) => kept.get(key), write: (key: string, value: string) => void kept.set(key, value), remove: (key: string) => void kept.delete(key) };
  const visit = async (who: string, of: object = store) => {
    const { pulso } = world({ token: who, store: of as any });
    const values = heard<any>(pulso.sales());
    await settled();
    const { url } = Socket.last;
    Socket.last.opens();
    Socket.last.says({ type: 'hello', ...HELLO }, { type: 'subscribed', channel: 'negocio:a', id: '100' }, sale(105));
    pulso.close();
    return [/since=(.*)/.exec(url)![1], values.length];
  };
  assert.deepEqual(await visit(ANA), ['', 1]);
  assert.deepEqual(await visit(ANA), ['105', 0]);
  assert.deepEqual(await visit(token({ id: 'eva' })), ['', 1]);
  for (const text of ['{', '7', 'null', '{"of":"eva","seen":7}', '{"of":"eva","seen":[["negocio:a","x"],[],null]}']) {
    for (const key of kept.keys()) kept.set(key, text);
    assert.deepEqual(await visit(token({ id: 'eva' })), ['', 1], text);
  }
  const forbidden = () => {
    throw new Error('forbidden');
  };
  assert.deepEqual(await visit(ANA, { read: forbidden, write: forbidden, remove: forbidden }), ['', 1]);
  const full = { ...store, read: () => null, write: forbidden };
  assert.deepEqual(await visit(ANA, full), ['', 1]);
  // Here there is no such storage at all.
  assert.deepEqual([await visit(ANA, tab()), await visit(ANA, local())], [['', 1], ['', 1]]);
});

test('it works in a realm that has next to nothing', async () => {
  const { outputFiles } = await build({ entryPoints: [new URL('../src/index.ts', import.meta.url).pathname], bundle: true, format: 'iife', globalName: 'pulso', target: 'es2022', write: false });
  const { text } = outputFiles[0]!;
  assert.doesNotMatch(text, /require\(|from ?["']node:/);
  Socket.all = [];
  const timers = new Set<number>();
  const realm = vm.createContext({ WebSocket: Socket, navigator: { product: 'ReactNative' }, setTimeout: (_: unknown, ms: number) => (timers.add(ms), ms), clearTimeout: (ms: number) => timers.delete(ms) });
  vm.runInContext(`${text}; var line = new pulso.Pulso({ url: 'https://pulso.example.com', getToken: () => 'secret' }); var figures = line.stats('a');`, realm);
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 7));
  assert.equal(vm.runInContext('figures.latest.total_citas', realm), 7);
  vm.runInContext('line.close()', realm);
  assert.equal(timers.size, 0);
});
