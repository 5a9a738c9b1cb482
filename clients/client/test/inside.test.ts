// What a listener does while it is told of something: it meets a line that is whole, and leaves one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../src/index.ts';
import { ANA, heard, settled, Socket, stats, token, world } from './world.ts';

test('whatever is called inside a listener, there is one line at most, and none once it is closed', async () => {
  for (const [what, open] of [['reconnect', 1], ['connect', 1], ['setToken', 1], ['close', 0]] as const) {
    for (const told of ['connecting', 'connected', 'waiting', 'stopped', 'stale', 'live', 'error', 'session', 'event'] as const) {
      const { pulso, time } = world();
      const one = pulso.stats('a');
      let isDone = false;
      const act = (is: boolean) => {
        if (!is || isDone) return;
        isDone = true;
        what === 'setToken' ? pulso.setToken(token({ id: 'ana', n: 2 })) : pulso[what]();
      };
      pulso.on('status', ({ state }) => act(state === told));
      one.on('state', (state) => act(state === told));
      for (const event of ['error', 'session', 'event'] as const) pulso.on(event, () => act(event === told));
      await settled();
      Socket.last.welcomes?.();
      Socket.last.says(stats('a', 1));
      Socket.last.closes(told === 'waiting' ? 1006 : 4003, '');
      await time.pass(told === 'waiting' && what === 'connect' ? 1_000 : 0);
      const where = `${what} inside ${told}`;
      assert.ok(isDone, where);
      const { state } = pulso.status;
      assert.equal(Socket.open.length, state === 'connecting' || state === 'connected' ? 1 : 0, `${where}: ${state}`);
      if (what === 'close') assert.equal(state, 'idle', where);
      assert.ok(Socket.open.length <= open, where);
      pulso.close();
      await settled();
      assert.deepEqual([Socket.open.length, time.waiting], [0, 0], where);
    }
  }
});

test('what happens inside a listener is told after what all others are told, and the last that is told is how it is', async () => {
  const { pulso } = world();
  const states: string[] = [];
  pulso.on('status', ({ state }) => {
    if (state === 'stopped') pulso.setToken(ANA);
  });
  pulso.on('status', ({ state }) => states.push(state));
  pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.closes(4003, 'no');
  assert.deepEqual(states, ['connecting', 'connected', 'stopped', 'connecting']);
  assert.equal(pulso.status.state, states.at(-1));
});

test('another user inside a listener: nobody is told any more of what was the first one\'s', async () => {
  for (const next of [token({ id: 'eva' }), null]) {
    const { pulso } = world();
    const [first, second] = [pulso.stats('a'), pulso.stats('a')];
    first.on('value', () => pulso.setToken(next));
    const told = [heard(second), heard(pulso as any, 'event')];
    await settled();
    Socket.last.welcomes();
    Socket.last.says(stats('a', 1));
    assert.deepEqual(told, [[], []]);
    assert.deepEqual([second.latest, second.state, pulso.session], [undefined, next ? 'pending' : 'closed', null]);
  }
});

test('another user inside a listener: all are told that what was refused is open again', async () => {
  const { pulso } = world();
  const [first, second] = [pulso.stats('a'), pulso.stats('a')];
  const told = heard(second, 'state');
  await settled();
  Socket.last.welcomes();
  Socket.last.says({ type: 'error', code: 'forbidden', message: 'x', channel: 'estadisticas:a' });
  first.on('state', (state) => state === 'pending' && pulso.setToken(ANA));
  pulso.setToken(token({ id: 'eva' }));
  assert.deepEqual([told, second.state], [['refused', 'pending'], 'pending']);
  pulso.close();
});

test('a status that is told is never older than one that was told before', async () => {
  const { pulso, time } = world();
  const told: Status[] = [];
  pulso.on('status', (status) => {
    if (status.state === 'connecting' && told.length < 20) pulso.reconnect();
    told.push(status);
  });
  pulso.stats('a');
  await settled();
  for (let n = 0; n < 5; n++) {
    Socket.last.fails();
    await time.pass(1_000);
  }
  assert.ok(told.every(({ since }, n) => !n || since >= told[n - 1]!.since));
  assert.equal(told.at(-1), pulso.status);
  assert.ok(told.length > 5 && Socket.open.length < 2);
});
