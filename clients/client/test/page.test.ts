// On a page: what the browser says of the network and of who looks is heeded, and nothing is left on its window.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { away, back, onPage, say } from './window.ts';
import { ANA, HELLO, heard, sale, settled, Socket, stats, world } from './world.ts';

test('while the browser says there is no network there is one attempt in half a minute, and one at once when it is back', () => onPage(async (page, navigator) => {
  const { pulso, time } = world();
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  navigator.onLine = false;
  await say(page, 'offline');
  assert.deepEqual([pulso.status.online, Socket.last.sent.at(-1).type], [false, 'ping']);
  // The browser is wrong where the server stands in the same shop.
  Socket.last.says({ type: 'pong' });
  await time.pass(5_000);
  assert.equal(pulso.status.state, 'connected');
  Socket.last.closes();
  const attempts = Socket.all.length;
  await time.pass(24_000);
  assert.equal(Socket.all.length, attempts);
  await time.pass(2_000);
  assert.equal(Socket.all.length, attempts + 1);
  Socket.last.fails();
  await time.pass(28_000);
  assert.equal(Socket.all.length, attempts + 1);
  navigator.onLine = true;
  await say(page, 'online');
  assert.deepEqual([Socket.all.length, pulso.status.online], [attempts + 2, true]);
  pulso.close();
}));

test('what the browser says of the network while nothing is open is known when something is', () => onPage(async (page, navigator) => {
  const { pulso } = world();
  const told = heard<any>(pulso as any, 'status');
  for (const is of [false, true, false]) {
    navigator.onLine = is;
    await say(page, is ? 'online' : 'offline');
    pulso.stats('a');
    await settled();
    assert.deepEqual([pulso.status.state, pulso.status.online, told.at(-1)], ['connecting', is, pulso.status]);
    pulso.setToken(null);
    pulso.setToken(ANA);
  }
  pulso.close();
}));

test('a page that is looked at again, or comes out of the cache, tries at once', () => onPage(async (page) => {
  const { pulso, time } = world();
  pulso.stats('a');
  await settled();
  for (let n = 0; n < 4; n++) {
    Socket.last.fails();
    page.visibilityState = 'hidden';
    await say(page, 'visibilitychange');
    assert.equal(Socket.all.length, n + 1);
    page.visibilityState = 'visible';
    await say(page, 'visibilitychange');
    assert.equal(Socket.all.length, n + 2);
  }
  Socket.last.welcomes();
  await say(page, 'pagehide', { persisted: false });
  await say(page, 'pageshow', { persisted: false });
  assert.deepEqual([Socket.all.length, pulso.status.state], [5, 'connected']);
  // Nothing is open on a page that a browser keeps, nor tried there.
  await away(page);
  assert.deepEqual([Socket.open.length, time.waiting, pulso.status.state, pulso.status.retryAt], [0, 0, 'waiting', null]);
  await back(page);
  assert.deepEqual([Socket.all.length, Socket.open.length], [6, 1]);
  pulso.close();
  assert.equal(time.waiting, 0);
}));

test('what has stopped is left so by whatever happens to the page, and goes on when it is told to', () => onPage(async (page) => {
  for (const goesOn of ['connect', 'reconnect'] as const) {
    const { pulso, time } = world();
    pulso.stats('a');
    await settled();
    Socket.last.welcomes();
    Socket.last.closes(4003, 'neither staff nor admin');
    for (const event of ['online', 'visibilitychange']) await say(page, event);
    await away(page);
    await back(page);
    pulso.stats('b');
    await time.pass(600_000);
    assert.deepEqual([Socket.all.length, pulso.status.state], [1, 'stopped']);
    pulso[goesOn]();
    await settled();
    assert.deepEqual([Socket.all.length, pulso.status.state], [2, 'connecting']);
    pulso.close();
  }
}));

test('a page that was put away while it waited for a token, or for its next attempt, is back on one line', () => onPage(async (page) => {
  const asked: ((token: string) => void)[] = [];
  const { pulso, time } = world({ token: undefined, getToken: () => new Promise<string>((done) => asked.push(done)) });
  pulso.stats('a');
  await settled();
  await away(page);
  await back(page);
  assert.deepEqual([asked.length, pulso.status.state], [1, 'connecting']);
  asked[0]!(ANA);
  await settled();
  Socket.last.fails();
  await away(page);
  await back(page);
  asked[1]?.(ANA);
  await settled();
  assert.deepEqual([Socket.all.length, Socket.open.length], [2, 1]);
  pulso.close();
  assert.equal(time.waiting, 0);
}));

test('a thousand subscriptions that come and go, and a hundred thousand events, leave nothing behind', () => onPage(async (page) => {
  const { pulso, time } = world();
  const sales = pulso.sales();
  await settled();
  const listening = page.listening;
  assert.ok(listening > 0);
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO }, { type: 'subscribed', channel: 'negocio:a', id: '100' }, { type: 'pong' });
  let heard = 0;
  sales.on('value', () => heard++);
  for (let n = 0; n < 1_000; n++) {
    const one = pulso.stats(`n${n}`);
    one.on('value', () => {});
    if (n % 10 === 0) await settled();
    one.close();
    for (let event = 0; event < 100; event++) Socket.last.says(sale(200 + n * 100 + event));
  }
  // What was said too fast has been said by then.
  await time.pass(15_000);
  assert.deepEqual([heard, page.listening, time.waiting <= 2], [100_000, listening, true]);
  pulso.close();
  assert.deepEqual([page.listening, time.waiting], [0, 0]);
}));

test('a page that wants none of it is not listened to', () => onPage(async (page) => {
  const { pulso } = world({ visibility: false, network: false });
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1));
  assert.equal(page.listening, 0);
  pulso.close();
}));
