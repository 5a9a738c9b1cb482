// Whose all is that is shown and sent: nothing of one user comes to another, however that is known.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANA, heard, sale, settled, Socket, stats, token, world } from './world.ts';

const EVA = token({ id: 'eva' });
const joined = { type: 'subscribed', channel: 'negocio:a', id: '100' };

/** Ana has seen a sale and her figures. */
async function ana(options: object = {}) {
  const all = world(options);
  const [figures, sales] = [all.pulso.stats('a'), all.pulso.sales('a')];
  await settled();
  Socket.last.welcomes();
  Socket.last.says(joined, stats('a', 1), sale(123));
  return { ...all, figures, sales };
}
function isAnew(figures: { latest: unknown }, sales: { state: string }) {
  assert.deepEqual([figures.latest, sales.state, Socket.open.length], [undefined, 'pending', 1]);
  assert.match(Socket.last.url, /since=$/);
  Socket.last.opens();
  assert.ok(Socket.last.sent.every(({ since }) => !since));
}

test("a token of another user from getToken is a new line, whoever gave the one before", async () => {
  const answers = [ANA, EVA];
  const { pulso, figures, sales } = await ana({ token: undefined, getToken: () => answers.shift()! });
  Socket.last.says({ type: 'expiring', expires: 9e9 });
  await settled();
  assert.equal(Socket.all.length, 2);
  isAnew(figures, sales);
  pulso.close();

  const given = await ana({ getToken: () => EVA });
  Socket.last.says({ type: 'expiring', expires: 9e9 });
  await settled();
  isAnew(given.figures, given.sales);
  given.pulso.close();
});

test('tokens that do not say whose they are, and between two that do, carry nothing over', async () => {
  // What an opaque one is worth the server says: here it is away meanwhile.
  const { pulso, figures, sales } = await ana();
  Socket.last.closes();
  pulso.setToken('opaque');
  await settled();
  assert.match(Socket.last.url, /since=123$/, 'it may be the same user');
  Socket.last.fails();
  pulso.setToken(EVA);
  await settled();
  isAnew(figures, sales);
  pulso.close();

  // Whose it was the server has said.
  const said = world({ token: 'opaque' });
  const [one, sold] = [said.pulso.stats('a'), said.pulso.sales('a')];
  await settled();
  Socket.last.welcomes();
  Socket.last.says(joined, stats('a', 1), sale(123));
  said.pulso.setToken(EVA);
  await settled();
  assert.equal(Socket.all.length, 2);
  isAnew(one, sold);
  said.pulso.close();
});

test('what the server says of whose a token is ends what was before', async () => {
  const { pulso, figures, sales, time } = await ana();
  pulso.setToken('opaque');
  assert.equal(Socket.last.asked('auth').at(-1).token, 'opaque', 'it may be the same user');
  Socket.last.closes(4001, "another user's token");
  await time.pass(0);
  isAnew(figures, sales);
  pulso.close();

  const away = await ana();
  Socket.last.closes();
  away.pulso.setToken('opaque');
  await settled();
  const seen = heard(away.sales);
  Socket.last.welcomes({ user: 'eva' });
  assert.deepEqual([away.figures.latest, away.sales.state], [undefined, 'pending']);
  Socket.last.says(joined, sale(101));
  assert.equal(seen.length, 1, 'she has positions of her own');
  away.pulso.close();
});

test('positions are kept under the name of whose they are, or not at all', async () => {
  const kept = new Map<string, string>();
  const store = { read: (key: string) => kept.get(key), write: (key: string, value: string) => void kept.set(key, value), remove: (key: string) => void kept.delete(key) };
  const { pulso, time } = await ana({ store });
  assert.match([...kept.values()].join(), /"of":"ana".*"123"/);
  pulso.setToken('opaque');
  Socket.last.closes(4001, "another user's token");
  await time.pass(0);
  Socket.last.welcomes({ user: 'eva' });
  Socket.last.says(joined, sale(301));
  assert.deepEqual([...kept], [], "a sale of Eva's under Ana's name");
  pulso.close();

  // Ana's own are not taken back to what was kept before.
  const own = await ana({ store });
  own.pulso.setToken('opaque');
  own.pulso.reconnect();
  await settled();
  Socket.last.welcomes();
  Socket.last.says(joined, sale(200));
  own.pulso.setToken(token({ id: 'ana', n: 2 }));
  own.pulso.reconnect();
  await settled();
  assert.match(Socket.last.url, /since=200$/);
  own.pulso.close();
});

test('another user whose positions are kept goes on with those', async () => {
  const store = { read: () => JSON.stringify({ of: 'eva', seen: [['canal:a:caja', '70']] }), write() {}, remove() {} };
  for (const forget of [false, true]) {
    const { pulso } = await ana({ store });
    if (forget) pulso.setToken(null);
    pulso.channel('canal:a:caja');
    pulso.setToken(EVA);
    await settled();
    assert.match(Socket.last.url, /since=70$/);
    Socket.last.welcomes({ user: 'eva' });
    Socket.last.closes();
    pulso.reconnect();
    await settled();
    assert.match(Socket.last.url, /since=70$/, 'the server says the same of her as her token');
    pulso.close();
  }
});
