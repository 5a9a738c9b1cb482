// A stream in place of a socket: taken where sockets do not come through, renewed by the next before the one before ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
// Loaded before, so that no test waits for it.
import '../src/sse.ts';
import { ANA, HELLO, heard, sale, settled, Socket, stats, token, world } from './world.ts';

/** The other end of streams, driven by the test. */
class Streams {
  all: Stream[] = [];
  answer: (stream: Stream) => Response = (stream) => stream.begin();

  fetch = async (address: string, { headers, signal }: { headers: Record<string, string>; signal: AbortSignal }) => {
    const stream = new Stream(address, headers, signal);
    this.all.push(stream);
    return this.answer(stream);
  };

  get last() {
    return this.all.at(-1)!;
  }

  get open() {
    return this.all.filter(({ signal }) => !signal.aborted);
  }
}

class Stream {
  #out!: ReadableStreamDefaultController<Uint8Array>;
  readonly channels: string[];
  constructor(readonly address: string, readonly headers: Record<string, string>, readonly signal: AbortSignal) {
    const query = new URL(address).searchParams;
    this.channels = query.has('channels') ? JSON.parse(query.get('channels')!) : [query.get('channel')!];
  }

  begin() {
    const body = new ReadableStream<Uint8Array>({
      start: (out) => {
        this.#out = out;
        this.signal.addEventListener('abort', () => out.error(this.signal.reason));
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }

  async writes(text: string) {
    // Cut anywhere, as a network does.
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += 7) this.#out.enqueue(bytes.slice(at, at + 7));
    await settled();
  }

  async says(...frames: object[]) {
    await this.writes(frames.map((frame) => `id: 7\ndata: ${JSON.stringify(frame)}\n\n`).join(':\n\n'));
  }

  async welcomes() {
    await this.says({ type: 'hello', ...HELLO }, ...this.channels.map((channel) => ({ type: 'subscribed', channel, id: '100' })));
  }

  async ends() {
    this.#out.close();
    await settled();
  }
}

async function streaming(options = {}) {
  const streams = new Streams();
  return { streams, ...world({ transports: ['sse'], fetch: streams.fetch as any, ...options }) };
}
/** Waits for what takes no time but some turns: a chunk to be loaded, what is said in one go to be gathered. */
async function until(time: { pass(ms: number): Promise<void> }, isSo: () => boolean) {
  for (let turn = 0; turn < 500 && !isSo(); turn++) await time.pass(0);
  assert.ok(isSo(), String(isSo));
}

test('two sockets that fail before they open make it a stream, which stays', async () => {
  const streams = new Streams();
  const { pulso, time } = world({ transports: ['websocket', 'sse'], fetch: streams.fetch as any });
  const one = pulso.stats('a');
  await settled();
  for (let n = 0; n < 2; n++) {
    Socket.last.fails();
    await time.pass(2_000);
  }
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  await streams.last.says(stats('a', 1));
  assert.deepEqual([pulso.status.transport, one.latest!.total_citas], ['sse', 1]);
  await time.pass(10_000);
  await streams.last.ends();
  assert.equal(pulso.status.state, 'waiting');
  await time.pass(1_000);
  await until(time, () => streams.all.length === 2);
  assert.equal(Socket.all.length, 2);
  // Nobody remembers that: who comes after begins with a socket.
  world({ transports: ['websocket', 'sse'], fetch: streams.fetch as any }).pulso.connect();
  await settled();
  assert.equal(Socket.all.length, 1);
});

test('where a stream fails as well, sockets are tried again', async () => {
  const { pulso, time } = world({ transports: ['websocket', 'sse'], fetch: (async () => { throw new TypeError('away'); }) as any });
  pulso.stats('a');
  await settled();
  for (let n = 0; n < 2; n++) {
    Socket.last.fails();
    await time.pass(2_000);
  }
  await until(time, () => pulso.status.state === 'waiting');
  assert.equal(Socket.all.length, 2);
  await time.pass(4_000);
  assert.deepEqual([Socket.all.length, pulso.status.transport], [3, 'websocket']);
});

test('where sockets came through once a stream is taken after two that did not, and lasts no longer than it holds', async () => {
  const streams = new Streams();
  const { pulso, time } = world({ transports: ['websocket', 'sse'], fetch: streams.fetch as any });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.closes(1001, 'going away');
  for (let n = 0; n < 2; n++) {
    assert.equal(streams.all.length, 0);
    await time.pass(8_000);
    Socket.last.fails();
  }
  await time.pass(8_000);
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  assert.deepEqual([pulso.status.state, pulso.status.transport, Socket.all.length], ['connected', 'sse', 3]);
  await time.pass(10_000);
  await streams.last.ends();
  await time.pass(1_000);
  assert.deepEqual([streams.all.length, Socket.all.length], [1, 4]);
});

test('all channels are one stream, the token is in a header', async () => {
  const { streams, pulso, time } = await streaming();
  pulso.stats('a');
  pulso.channel('canal:a:caja');
  const sales = pulso.sales('a');
  await until(time, () => streams.all.length > 0);
  assert.equal(streams.all.length, 1);
  const { address, headers, channels } = streams.last;
  assert.match(address, /^https:\/\/pulso\.example\.com\/sse\?v=2&channels=.*&since=$/);
  assert.ok(!address.includes(ANA));
  assert.equal(headers.authorization, `Bearer ${ANA}`);
  assert.deepEqual(channels, ['estadisticas:a', 'canal:a:caja', 'negocio:a']);
  await streams.last.welcomes();
  assert.deepEqual([pulso.status.state, sales.state], ['connected', 'live']);
});

test('one more name and a new token open the next stream before the one before ends, and nothing comes twice', async () => {
  let asked = 0;
  const { streams, pulso, time } = await streaming({ token: undefined, getToken: () => token({ id: 'ana', n: ++asked }) });
  const values = heard<any>(pulso.sales('a'));
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  await streams.last.says(sale(101));
  pulso.stats('a');
  await until(time, () => streams.all.length === 2);
  const [first, second] = streams.all;
  assert.match(second!.address, /since=101$/);
  assert.equal(streams.open.length, 2);
  await first!.says(sale(102));
  await second!.welcomes();
  await second!.says(sale(102), sale(103));
  assert.deepEqual([values.map(({ id }) => id), streams.open.length], [['101', '102', '103'], 1]);
  await second!.says({ type: 'expiring', expires: HELLO.expires });
  await until(time, () => streams.all.length === 3);
  assert.deepEqual([asked, streams.all.length, streams.open.length], [2, 3, 2]);
  assert.notEqual(streams.last.headers.authorization, first!.headers.authorization);
  await streams.last.welcomes();
  assert.deepEqual([streams.open.length, pulso.status.state], [1, 'connected']);
});

test('a stream that takes over repeats nothing and skips nothing, whatever channel it begins with', async () => {
  const { streams, pulso, time } = await streaming();
  const [caja, sales] = [heard<any>(pulso.channel('canal:a:caja')), heard<any>(pulso.sales())];
  const own = (id: number) => ({ id: String(id), type: 'turno', channel: 'canal:a:caja', data: {}, timestamp: '' });
  const position = (channel: string, id: string) => ({ type: 'subscribed', channel, id });
  // The shops are known by what hello says: they come with the second stream.
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  await until(time, () => streams.all.length === 2);
  await streams.last.welcomes();
  await streams.last.says(sale(101), own(102));
  await time.pass(10_000);
  await streams.last.ends();
  await time.pass(1_000);
  await until(time, () => streams.all.length === 3);
  assert.match(streams.last.address, /since=102$/);
  await streams.last.says({ type: 'hello', ...HELLO, id: '106' }, position('canal:a:caja', '106'), own(103));
  await until(time, () => streams.all.length === 4);
  await streams.all[2]!.says(own(108));
  // Of the shop nothing has been heard since 101; it was sold at 105 and 107.
  await streams.last.says({ type: 'hello', ...HELLO, id: '110' }, position('negocio:a', '110'), sale(105), sale(107), position('canal:a:caja', '110'), own(108), own(109), sale(111));
  assert.deepEqual([caja.map(({ id }) => id), sales.map(({ id }) => id)], [['102', '103', '108', '109'], ['101', '105', '107', '111']]);
  await time.pass(10_000);
  await streams.last.ends();
  await time.pass(1_000);
  await until(time, () => streams.all.length === 5);
  assert.match(streams.last.address, /since=111$/);
});

test('what is refused, and how a stream ends, means what it means on a socket', async () => {
  for (const [answer, expected] of [
    [() => Response.json({ error: 'unauthorized', message: 'bad' }, { status: 401 }), ['stopped', 'bad_token', 401]],
    [() => Response.json({ error: 'forbidden', message: 'this origin may not connect' }, { status: 403 }), ['stopped', 'origin', 403]],
    [() => Response.json({ error: 'not_found', message: 'off' }, { status: 404 }), ['stopped', 'protocol', 404]],
    [() => Response.json({ error: 'busy' }, { status: 503, headers: { 'retry-after': '7' } }), ['waiting', 'network', 503]],
    [(stream: Stream) => {
      const response = stream.begin();
      void stream.writes('event: close\ndata: {"code":4001,"reason":"token expired","again":true,"after":0}\n\n');
      return response;
    }, ['stopped', 'expired_token', undefined]],
  ] as [(stream: Stream) => Response, unknown[]][]) {
    const { streams, pulso, time } = await streaming();
    streams.answer = answer;
    pulso.stats('a');
    await until(time, () => pulso.status.error !== null);
    const { state, error, retryAt } = pulso.status;
    assert.deepEqual([state, error!.code, error!.status], expected);
    if (state === 'waiting') assert.equal(retryAt, time.at + 7_000);
    pulso.close();
    assert.equal(time.waiting, 0);
  }
});

test('a token of another user, which only the server knows it for, is a new stream on which nothing of the first is shown or sent', async () => {
  const { streams, pulso, time } = await streaming();
  const [figures, sales] = [pulso.stats('a'), pulso.sales('a')];
  const told = heard<any>(sales);
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  await streams.last.says(stats('a', 1), sale(123));
  pulso.setToken('opaque');
  await until(time, () => streams.all.length === 2);
  await streams.last.says({ type: 'hello', ...HELLO, user: 'eva' }, { type: 'subscribed', channel: 'negocio:a', id: '100' }, sale(124), stats('a', 2));
  await until(time, () => streams.all.length === 3);
  assert.deepEqual([figures.latest, sales.state, told.length, streams.open.length], [undefined, 'pending', 1, 1]);
  assert.match(streams.last.address, /since=$/);
  await streams.last.says({ type: 'hello', ...HELLO, user: 'eva' }, { type: 'subscribed', channel: 'negocio:a', id: '100' }, sale(101));
  assert.deepEqual([pulso.status.state, told.at(-1).id], ['connected', '101']);
  pulso.close();
});

test('a text is heard whatever is in it, also what ends a line elsewhere', async () => {
  const { streams, pulso, time } = await streaming();
  const told = heard<any>(pulso.channel('canal:a:caja'));
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  const data = 'uno\u2028dos\u2029tres\u0085cuatro\rcinco\n\nseis';
  await streams.last.says({ id: '101', type: 'nota', channel: 'canal:a:caja', data, timestamp: '' });
  assert.deepEqual(told.map((one) => one.data), [data]);
  pulso.close();
});

test('a silent stream is noticed', async () => {
  const { streams, pulso, time } = await streaming();
  pulso.stats('a');
  await until(time, () => streams.all.length === 1);
  await streams.last.welcomes();
  await time.pass(44_000);
  await streams.last.writes(':\n\n');
  await time.pass(44_000);
  assert.equal(pulso.status.state, 'connected');
  await time.pass(1_000);
  assert.equal(pulso.status.state, 'waiting');
});

test('an older server gives one stream a channel', async () => {
  const { streams, pulso, time } = await streaming();
  streams.answer = (stream) => (stream.address.includes('channels=') ? Response.json({ error: 'bad_request' }, { status: 400 })
    : stream.address.includes('%3Ab') ? Response.json({ error: 'forbidden', message: 'no' }, { status: 403 }) : stream.begin());
  const [good, bad, sales, staff] = [pulso.stats('a'), pulso.stats('b'), pulso.sales('a'), pulso.staff('a')];
  const values = heard<any>(sales);
  await until(time, () => streams.all.length === 5 && streams.open.length === 2 && bad.state === 'refused' && sales.state === 'live');
  const of = (name: string) => streams.open.find(({ channels }) => channels[0] === name)!;
  const { channel: _, ...old } = stats('a', 1);
  await of('estadisticas:a').says(old);
  const { channel: __, id, ...event } = sale(101);
  await of('negocio:a').writes(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
  assert.deepEqual([good.latest!.total_citas, bad.state, sales.state, values.map((one) => one.id), staff.error!.code], [1, 'refused', 'live', ['101'], 'too_old_server']);
  pulso.close();
  assert.deepEqual([streams.open.length, time.waiting], [0, 0]);
});
