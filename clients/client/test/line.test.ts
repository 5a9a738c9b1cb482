// How the line is kept: one for all, renewed in place, tried again, stopped.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANA, HELLO, heard, sale, settled, Socket, stats, token, world } from './world.ts';

test('a hundred subscriptions of one business are one socket and one subscribe', async () => {
  const { pulso } = world();
  const all = Array.from({ length: 100 }, () => pulso.stats('a'));
  const values = all.map((one) => heard(one));
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1));
  assert.equal(Socket.all.length, 1);
  assert.equal(Socket.last.asked('subscribe').length, 1);
  assert.ok(values.every((list) => list.length === 1));
  assert.ok(all.every(({ state, latest }) => state === 'live' && latest!.total_citas === 1));
});

test('the token is in no address', async () => {
  const { pulso } = world();
  pulso.stats('a');
  await settled();
  Socket.last.opens();
  assert.equal(Socket.last.url, 'wss://pulso.example.com/ws?v=2&since=');
  assert.equal(Socket.last.sent[0].token, ANA);
});

test('a token is renewed in place, asked for once', async () => {
  let asked = 0;
  const { pulso, time } = world({ token: undefined, getToken: async () => (asked++, token({ id: 'ana', n: asked })) });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.says({ type: 'expiring', expires: HELLO.expires }, { type: 'expiring', expires: HELLO.expires });
  await settled();
  assert.equal(asked, 2);
  assert.deepEqual(Socket.last.asked('auth').map((frame) => frame.token), [token({ id: 'ana', n: 1 }), token({ id: 'ana', n: 2 })]);
  Socket.last.says({ type: 'authenticated', now: 4_590, expires: 8_190 }, { type: 'expiring', expires: HELLO.expires });
  await time.pass(1_000);
  assert.equal(asked, 2);
  assert.equal(Socket.all.length, 1);
});

test('a server that forgets to say so has its token renewed all the same, by its own clock', async () => {
  let asked = 0;
  const { pulso, time } = world({ token: undefined, getToken: () => (asked++, ANA), pingEvery: 1e9 });
  time.at += 86_400_000;
  pulso.connect();
  await settled();
  Socket.last.welcomes();
  await time.pass(3_569_000);
  assert.equal(asked, 1);
  await time.pass(2_000);
  assert.equal(asked, 2);
});

test('three tokens that are refused end it, until somebody says otherwise', async () => {
  let asked = 0;
  const { pulso, time } = world({ token: undefined, getToken: () => `bad${++asked}` });
  pulso.stats('a');
  for (let attempt = 1; attempt <= 3; attempt++) {
    await settled();
    Socket.last.opens();
    Socket.last.says({ type: 'error', code: 'bad_token', message: 'Invalid JWT token', retry: false });
    await time.pass(2_000);
  }
  assert.equal(pulso.status.state, 'stopped');
  assert.equal(pulso.status.error!.code, 'bad_token');
  await time.pass(600_000);
  assert.equal(Socket.all.length, 3);
  assert.equal(asked, 3);
  assert.equal(time.waiting, 0);
  pulso.stats('b');
  await settled();
  assert.equal(Socket.all.length, 3);
  pulso.setToken(ANA);
  await settled();
  assert.equal(Socket.all.length, 4);
});

test('the token that was refused is not shown again', async () => {
  let asked = 0;
  const { pulso, time } = world({ token: undefined, getToken: () => (asked++, 'yesterday') });
  pulso.stats('a');
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'error', code: 'expired_token', message: 'Invalid JWT token: expired' });
  await time.pass(600_000);
  assert.deepEqual([pulso.status.state, asked, Socket.all.length], ['stopped', 3, 1]);
});

test('a token that cannot be checked right now is no refusal', async () => {
  const { pulso, time } = world();
  pulso.stats('a');
  for (let attempt = 0; attempt < 6; attempt++) {
    await settled();
    Socket.last.opens();
    Socket.last.says({ type: 'error', code: 'unchecked', message: 'cannot be checked right now', retry: false, after: 2_000 });
    await time.pass(2_000);
  }
  assert.equal(Socket.all.length, 7);
  Socket.last.welcomes();
  assert.equal(pulso.status.state, 'connected');
});

test('a renewal that fails, is refused or cannot be checked is tried again while the old token lives', async () => {
  let asked = 0;
  const answers: (() => string)[] = [() => ANA, () => { throw new Error('the API is away'); }, () => 'second', () => 'third', () => 'fourth'];
  const { pulso, time, errors } = world({ token: undefined, getToken: () => answers[asked++]!(), pingEvery: 1e9 });
  const one = pulso.stats('a');
  await settled();
  const line = Socket.last;
  line.welcomes();
  line.says({ type: 'expiring', expires: HELLO.expires });
  await time.pass(1_000);
  assert.deepEqual([asked, line.asked('auth').length, errors.at(-1).code], [3, 2, 'token_unavailable']);
  // Shown again as it is.
  line.says({ type: 'error', code: 'unchecked', message: 'cannot be checked right now', retry: false, after: 2_000 });
  await time.pass(2_000);
  assert.deepEqual([asked, line.asked('auth').map((frame) => frame.token)], [3, [ANA, 'second', 'second']]);
  line.says({ type: 'error', code: 'bad_token', message: 'x', retry: false });
  await time.pass(1_000);
  line.says({ type: 'error', code: 'bad_token', message: 'x', retry: false });
  await time.pass(2_000);
  line.says({ type: 'error', code: 'bad_token', message: 'x', retry: false });
  await time.pass(600_000);
  assert.deepEqual([asked, line.asked('auth').length, one.state, pulso.status.state, Socket.all.length], [5, 5, 'pending', 'connected', 1]);
});

test('null from getToken stops it, an error does not', async () => {
  const answers: (() => string | null)[] = [() => { throw new Error('the API is away'); }, () => 7 as any, () => null];
  const { pulso, time, errors } = world({ token: undefined, getToken: () => answers.shift()!() });
  pulso.stats('a');
  await time.pass(10_000);
  assert.equal(pulso.status.state, 'stopped');
  assert.deepEqual(errors.map(({ code, message }) => [code, message.slice(0, 16)]), [
    ['token_unavailable', 'the API is away'], ['token_unavailable', 'getToken gave nu'], ['token_unavailable', 'token unavailable'.slice(0, 16)]]);
  assert.equal(Socket.all.length, 0);
});

test('a getToken that never settles is told so, and asked again', async () => {
  const signals: AbortSignal[] = [];
  const { pulso, time, errors } = world({ token: undefined, getToken: ({ signal }) => (signals.push(signal), new Promise<string>(() => {})) });
  pulso.stats('a');
  await time.pass(9_999);
  assert.equal(signals[0]!.aborted, false);
  await time.pass(1);
  assert.equal(signals[0]!.aborted, true);
  assert.equal(errors[0].code, 'token_unavailable');
  await time.pass(1_000);
  assert.equal(signals.length, 2);
});

for (const [code, reason, expected] of [
  [4003, 'neither staff nor admin', 'forbidden'], [1002, 'protocol error', 'protocol'], [1007, 'invalid UTF-8', 'protocol'],
  [1009, 'message too big', 'protocol'], [4001, 'token expired', 'expired_token'], [4001, 'session ended', 'bad_token'],
] as const) {
  test(`a close with ${code} ${reason} is not followed by another attempt with the same token`, async () => {
    const { pulso, time } = world();
    pulso.stats('a');
    await settled();
    Socket.last.welcomes();
    Socket.last.closes(code, reason);
    await time.pass(600_000);
    assert.deepEqual([pulso.status.state, pulso.status.error!.code, pulso.status.error!.closeCode, Socket.all.length], ['stopped', expected, code, 1]);
  });
}

test('a closing that says not to come again with what one has is followed by another token', async () => {
  let asked = 0;
  const { pulso, time } = world({ token: undefined, getToken: () => token({ id: 'ana', n: ++asked }) });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  await time.pass(10_000);
  Socket.last.says({ type: 'closing', code: 4001, reason: 'token expired', again: false, after: 0 });
  Socket.last.closes(4001, 'token expired');
  await time.pass(0);
  assert.deepEqual([Socket.all.length, asked, pulso.status.state], [2, 2, 'connecting']);
  Socket.last.welcomes();
  Socket.last.says({ type: 'closing', code: 1003, reason: 'what nobody knows yet', again: false, after: 0 });
  Socket.last.closes(1003, 'what nobody knows yet');
  await time.pass(600_000);
  assert.deepEqual([Socket.all.length, pulso.status.state], [2, 'stopped']);
});

test('a token that ends is followed by another', async () => {
  const reasons: string[] = [];
  const { pulso, time } = world({ token: undefined, getToken: ({ reason }) => (reasons.push(reason), token({ id: 'ana', n: reasons.length })) });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  await time.pass(10_000);
  Socket.last.closes(4001, 'session ended');
  await time.pass(1_000);
  assert.deepEqual(reasons, ['first', 'rejected']);
  assert.equal(Socket.all.length, 2);
  Socket.last.welcomes();
  await time.pass(10_000);
  Socket.last.closes();
  await time.pass(1_000);
  assert.deepEqual(reasons, ['first', 'rejected', 'reconnect']);
});

test('a handshake that fails is noticed, whichever way it is told, and once', async () => {
  for (const fails of [(line: Socket) => line.fails(), (line: Socket) => line.closes(), (line: Socket) => (line.fails(), line.closes())]) {
    const { pulso, time, errors } = world();
    pulso.stats('a');
    await settled();
    fails(Socket.last);
    assert.deepEqual([pulso.status.state, pulso.status.attempt, errors.map(({ code }) => code)], ['waiting', 1, ['network']]);
    await time.pass(1_000);
    assert.equal(Socket.all.length, 2);
    pulso.close();
  }
});

test('where a failed handshake says its status that counts', async () => {
  for (const [status, state, code] of [[403, 'stopped', 'forbidden'], [401, 'stopped', 'bad_token'], [503, 'waiting', 'network']] as const) {
    const { pulso, errors } = world();
    pulso.stats('a');
    await settled();
    Socket.last.fails(`Unexpected server response: ${status}`);
    assert.deepEqual([pulso.status.state, errors[0].code, errors[0].status], [state, code, status]);
    pulso.close();
  }
});

test('waits double up to the most, and a line that lived for a moment does not end that', async () => {
  const { pulso, time } = world();
  pulso.stats('a');
  await settled();
  for (const wait of [1_000, 2_000, 4_000, 8_000]) {
    Socket.last.fails();
    assert.equal(pulso.status.retryAt, time.at + wait);
    await time.pass(wait);
  }
  Socket.last.welcomes();
  await time.pass(4_000);
  Socket.last.closes();
  assert.equal(pulso.status.retryAt, time.at + 16_000);
  await time.pass(16_000);
  Socket.last.welcomes();
  await time.pass(5_000);
  Socket.last.closes();
  assert.equal(pulso.status.retryAt, time.at + 1_000);
  for (let n = 0; n < 9; n++) {
    await time.pass(30_000);
    Socket.last.fails();
  }
  assert.equal(pulso.status.retryAt, time.at + 30_000);
});

test('what a closing says of when to come wins over the backoff, and 1001 without it is spread', async () => {
  const { pulso, time } = world({ random: () => 0.5 });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  await time.pass(5_000);
  Socket.last.says({ type: 'closing', code: 1001, reason: 'going away', again: true, after: 7_000 });
  Socket.last.closes(1001, 'going away');
  assert.equal(pulso.status.retryAt, time.at + 7_000);
  await time.pass(7_000);
  Socket.last.welcomes();
  await time.pass(5_000);
  Socket.last.closes(1001, 'going away');
  assert.equal(pulso.status.retryAt, time.at + 2_500);
});

test('a half-open line is noticed, and so is a handshake that hangs', async () => {
  const { pulso, time, errors } = world({ pingEvery: 20_000, answerWithin: 10_000 });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  for (let n = 0; n < 10; n++) {
    await time.pass(20_000);
    assert.equal(Socket.last.sent.at(-1).type, 'ping');
    Socket.last.says({ type: 'pong' });
  }
  await time.pass(29_999);
  assert.equal(pulso.status.state, 'connected');
  await time.pass(1);
  assert.deepEqual([pulso.status.state, errors.at(-1).code], ['waiting', 'timeout']);
  await time.pass(1_000);
  assert.equal(Socket.open.length, 1);
  await time.pass(10_000);
  assert.deepEqual([pulso.status.state, errors.at(-1).code], ['waiting', 'timeout']);
  assert.equal(Socket.open.length, 0);
});

test('what no server can mean of its pace is not kept to, and a wait that no platform knows is none that ends at once', async () => {
  for (const [ping, silence] of [[0, 45_000], [-1, 5], [25_000, 20_000], ['x', '45000'], [50, 1_000]]) {
    const { pulso, time } = world();
    pulso.stats('a');
    await settled();
    Socket.last.welcomes({ ping, silence });
    await time.pass(19_999);
    assert.deepEqual([Socket.last.asked('ping').length, pulso.status.state], [1, 'connected'], `${ping}, ${silence}`);
    await time.pass(1);
    assert.equal(Socket.last.asked('ping').length, 2);
    Socket.last.says({ type: 'closing', code: 1013, reason: 'busy', again: true, after: 1e12 });
    Socket.last.closes(1013, 'busy');
    await time.pass(1_000_000);
    assert.equal(Socket.all.length, 1);
    pulso.close();
  }
});

test('after a sleep the line is proven before it is given up', async () => {
  const { pulso, time } = world({ pingEvery: 20_000, answerWithin: 10_000 });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  const pings = Socket.last.asked('ping').length;
  time.sleep(3_600_000);
  await time.pass(0);
  assert.equal(Socket.last.asked('ping').length, pings + 1);
  assert.equal(pulso.status.state, 'connected');
  await time.pass(10_000);
  assert.equal(pulso.status.state, 'waiting');
});

test('the socket outlives its last subscription by a while, and no more', async () => {
  const { pulso, time } = world();
  const first = pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  first.close();
  await time.pass(4_000);
  assert.deepEqual(Socket.last.sent.at(-1), { type: 'unsubscribe', channel: 'estadisticas:a' });
  const again = pulso.stats('b');
  await time.pass(15_000);
  assert.equal(Socket.all.length, 1);
  again.close();
  await time.pass(5_000);
  assert.deepEqual([Socket.open.length, pulso.status.state, time.waiting], [0, 'idle', 0]);
});

test('what is left and taken in one go needs no word', async () => {
  const { pulso } = world();
  const first = pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  const sent = Socket.last.sent.length;
  first.close();
  for (let n = 0; n < 1_000; n++) pulso.stats('c').close();
  pulso.stats('a');
  await settled();
  assert.deepEqual(Socket.last.sent.slice(sent), []);
});

test('close leaves nothing, also inside getToken', async () => {
  let answer!: (token: string) => void;
  const { pulso, time } = world({ token: undefined, getToken: () => new Promise<string>((done) => answer = done) });
  const one = pulso.stats('a');
  await settled();
  pulso.close();
  answer(ANA);
  await time.pass(60_000);
  assert.deepEqual([Socket.all.length, time.waiting, one.state, pulso.status.state], [0, 0, 'closed', 'idle']);
  const late = pulso.stats('b');
  pulso.connect();
  pulso.reconnect();
  for await (const _ of late) assert.fail('nothing comes any more, and nobody waits for it');
  await time.pass(60_000);
  assert.deepEqual([Socket.all.length, late.state], [0, 'closed']);
});

test('what is closed by getToken itself opens nothing any more', async () => {
  const { pulso, time } = world({ token: undefined, getToken: () => (pulso.close(), ANA) });
  pulso.stats('a');
  await time.pass(60_000);
  assert.deepEqual([Socket.all.length, time.waiting, pulso.status.state], [0, 0, 'idle']);
});

test('another user is a new line on which nothing of the first is shown or sent', async () => {
  const { pulso } = world();
  const one = pulso.stats('a');
  pulso.sales();
  await settled();
  Socket.last.welcomes();
  Socket.last.says({ type: 'subscribed', channel: 'negocio:a', id: '100' }, stats('a', 1), sale(123));
  pulso.setToken(token({ id: 'eva' }));
  await settled();
  assert.deepEqual([one.latest, one.state], [undefined, 'pending']);
  assert.equal(Socket.open.length, 1);
  assert.equal(Socket.last.url, 'wss://pulso.example.com/ws?v=2&since=');
  Socket.last.opens();
  assert.ok(Socket.last.sent.every(({ since }) => !since));
});

test('a token of the same user goes on in place', async () => {
  const { pulso } = world();
  const one = pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1));
  pulso.setToken(token({ id: 'ana', n: 2 }));
  await settled();
  assert.equal(Socket.all.length, 1);
  assert.equal(Socket.last.sent.at(-1).type, 'auth');
  assert.equal(one.state, 'live');
});

test('null forgets the token, the subscriptions, their values and positions', async () => {
  const { pulso, time } = world();
  const one = pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1), sale(123));
  pulso.setToken(null);
  assert.deepEqual([one.state, one.latest, Socket.open.length, pulso.status.state, pulso.session, time.waiting], ['closed', undefined, 0, 'idle', null, 0]);
});

test('more than a server takes at once is said at its pace, and the line is kept meanwhile', async () => {
  const { pulso, time } = world();
  for (let n = 0; n < 300; n++) pulso.stats(`n${n}`);
  await settled();
  Socket.last.opens();
  const line = Socket.last;
  const said = () => line.asked('subscribe').length;
  // Besides what is said at once a server allows twenty messages a second.
  assert.ok(said() < 200, `${said()} at once`);
  assert.deepEqual([line.asked('auth').length, line.asked('ping').length], [1, 1]);
  for (let second = 0, before = said(); said() < 300; second++, before = said()) {
    line.says({ type: 'hello', ...HELLO }, { type: 'pong' });
    await time.pass(1_000);
    assert.ok(said() - before <= 20 && second < 20, `${said() - before} in a second`);
  }
  assert.deepEqual(line.asked('subscribe').map(({ channel }) => channel), Array.from({ length: 300 }, (_, n) => `estadisticas:n${n}`));
  for (let n = 0; n < 300; n++) pulso.stats(`m${n}`);
  await settled();
  pulso.close();
  assert.equal(time.waiting, 0);
});
