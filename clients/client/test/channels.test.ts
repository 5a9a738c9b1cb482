// What subscriptions are told: each event once and in order, states that only grow, holes, refusals, what no server should say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figures, HELLO, heard, sale, settled, Socket, stats, token, world } from './world.ts';

async function live(...negocios: string[]) {
  const all = world({ random: () => 0 });
  const sales = negocios.map((negocio) => all.pulso.sales(negocio));
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO, negocios }, ...negocios.map((negocio) => ({ type: 'subscribed', channel: `negocio:${negocio}`, id: '100' })), { type: 'pong' });
  return { ...all, sales };
}
const ids = (values: any[]) => values.map(({ id }) => Number(id));

test('what the token opens by itself is not asked for, and goes on where it was', async () => {
  const { sales, time } = await live('a', 'b');
  const [a, b] = sales.map((one) => heard<any>(one));
  Socket.last.says(sale(101), sale(102, 'b'), sale(103), sale(103), sale(99));
  assert.deepEqual([ids(a!), ids(b!)], [[101, 103], [102]]);
  assert.equal(Socket.last.asked('subscribe').length, 0);
  assert.ok(sales.every(({ state }) => state === 'live'));
  Socket.last.closes();
  assert.ok(sales.every(({ state }) => state === 'stale'));
  await time.pass(1_000);
  assert.match(Socket.last.url, /since=103$/);
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO, id: '110' }, { type: 'subscribed', channel: 'negocio:a', id: '110' }, { type: 'subscribed', channel: 'negocio:b', id: '110' });
  Socket.last.says(sale(103), sale(105), sale(106, 'b'));
  // Cut in the middle of what was missed: a has it up to 105, b up to 106.
  Socket.last.closes();
  await time.pass(1_000);
  assert.match(Socket.last.url, /since=105$/);
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO, id: '110' }, { type: 'subscribed', channel: 'negocio:a', id: '110' }, { type: 'subscribed', channel: 'negocio:b', id: '110' });
  Socket.last.says(sale(106, 'b'), sale(107), sale(111, 'b'));
  assert.deepEqual([ids(a!), ids(b!)], [[101, 103, 105, 107], [102, 106, 111]]);
  Socket.last.closes();
  await time.pass(2_000);
  assert.match(Socket.last.url, /since=111$/);
});

test('a hole is told once, to whom it concerns', async () => {
  const { pulso, sales } = await live('a', 'b');
  const [a, b] = sales.map((one) => heard<any>(one, 'resync'));
  const all = heard(pulso as any, 'resync');
  Socket.last.says({ type: 'resync', channels: ['negocio:a'], id: '150' }, sale(140), sale(151));
  assert.deepEqual([a!.length, b!.length, all.length], [1, 0, 1]);
});

test('a channel of ones own says where it was, and is never taken for anything else', async () => {
  const { pulso, time } = world({ random: () => 0 });
  const own = pulso.channel('canal:a:caja');
  const values = heard<any>(own);
  await settled();
  Socket.last.welcomes();
  for (const type of ['hello', 'error', 'closing', 'stats', '__proto__', 'constructor']) {
    Socket.last.says({ type, id: String(101 + values.length), channel: 'canal:a:caja', data: { code: 'bad_token' }, timestamp: '' });
  }
  assert.equal(values.length, 6);
  assert.equal(pulso.session!.user, 'ana');
  Socket.last.closes();
  await time.pass(1_000);
  Socket.last.welcomes();
  assert.equal(Socket.last.asked('subscribe')[0].since, '106');
});

test('figures that are older than those shown are dropped, and stay while the line is away', async () => {
  const { pulso, time } = world();
  const one = pulso.stats('a');
  const values = heard<any>(one);
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 5), stats('a', 4), stats('a', 6));
  assert.deepEqual(values.map(({ total_citas }) => total_citas), [5, 6]);
  Socket.last.closes();
  assert.deepEqual([one.state, one.latest!.total_citas, one.updatedAt], ['stale', 6, time.at]);
});

test('figures that are none, or of another business, are not shown', async () => {
  const { pulso, errors } = world();
  const one = pulso.stats('a');
  const values = heard(one);
  await settled();
  Socket.last.welcomes();
  const { citas_hoy: _, ...missing } = figures('a');
  for (const data of [missing, { ...figures('a'), total_citas: '7' }, figures('b'), null, 'x']) Socket.last.says({ type: 'stats', channel: 'estadisticas:a', seq: 9, data });
  assert.deepEqual(values, []);
  assert.deepEqual(errors.map(({ code, channel }) => [code, channel]), Array(5).fill(['protocol', 'estadisticas:a']));
});

test('a refusal is of its channel alone, and nothing comes after it', async () => {
  const { pulso, errors } = world();
  const [good, bad] = [pulso.stats('a'), pulso.stats('b')];
  const values = heard(bad);
  await settled();
  Socket.last.opens();
  const [one, other] = Socket.last.asked('subscribe');
  Socket.last.says({ type: 'hello', ...HELLO }, { type: 'subscribed', channel: one.channel, id: '1', ref: one.ref });
  Socket.last.says({ type: 'error', code: 'forbidden', message: 'not allowed', channel: other.channel, ref: other.ref, retry: false }, stats('b', 1), stats('a', 1));
  assert.deepEqual([good.state, bad.state, bad.error!.code, values.length, errors.length], ['live', 'refused', 'forbidden', 0, 1]);
  // Whoever asks anew is asked for anew.
  pulso.stats('b');
  await settled();
  assert.equal(Socket.last.asked('subscribe').length, 3);
});

test('access that is withdrawn takes the value with it', async () => {
  const { pulso } = world();
  const one = pulso.stats('a');
  await settled();
  Socket.last.welcomes();
  Socket.last.says(stats('a', 1), { type: 'unsubscribed', channel: 'estadisticas:a', reason: 'withdrawn' },
    { type: 'error', code: 'withdrawn', message: 'access was withdrawn', channel: 'estadisticas:a', retry: false }, stats('a', 2));
  assert.deepEqual([one.state, one.latest, one.error!.code], ['refused', undefined, 'withdrawn']);
});

test('what the server says of a passing trouble ends nothing, and what it says to ask again is asked again', async () => {
  const { pulso, time } = world();
  const one = pulso.stats('a');
  const troubles = heard<any>(one, 'error');
  await settled();
  Socket.last.opens();
  const [{ channel, ref }] = Socket.last.asked('subscribe');
  Socket.last.says({ type: 'hello', ...HELLO }, { type: 'error', code: 'too_many_checks', message: 'wait', channel, ref, retry: false, after: 3_000 });
  await time.pass(2_999);
  assert.equal(Socket.last.asked('subscribe').length, 1);
  await time.pass(1);
  assert.equal(Socket.last.asked('subscribe').length, 2);
  Socket.last.says({ type: 'subscribed', channel, ref, id: '1' }, { type: 'error', code: 'unavailable', message: 'x', channel, ref, retry: true }, stats('a', 1));
  assert.deepEqual([one.state, troubles.map(({ code, retry }) => [code, retry])], ['live', [['too_many_checks', true], ['unavailable', true]]]);
});

test('two spellings of one business are one, and one leaves without the other', async () => {
  const id = '6f1c2b3a-1b7e-4c55-9d0a-0a4b5c6d7e8f';
  const { pulso } = world();
  const [upper, lower] = [pulso.stats(id.toUpperCase()), pulso.stats(id)];
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO });
  for (const { ref } of Socket.last.asked('subscribe')) Socket.last.says({ type: 'subscribed', channel: `estadisticas:${id}`, id: '1', ref });
  Socket.last.says(stats(id, 1));
  assert.deepEqual([upper.channel, upper.latest, lower.latest], [lower.channel, lower.latest, figures(id, 1)]);
  upper.close();
  await settled();
  assert.equal(Socket.last.asked('unsubscribe').length, 0);
  lower.close();
  await settled();
  assert.equal(Socket.last.asked('unsubscribe').length, 1);
});

test('orders and staff are asked for by what hello says', async () => {
  const { pulso } = world();
  const [orders, staff] = [pulso.orders(), pulso.staff()];
  const values = heard<any>(orders);
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO, negocios: ['a', 'b'], restaurant: 'r-1' }, { type: 'pong' });
  assert.deepEqual(Socket.last.asked('subscribe').map(({ channel }) => channel), ['restaurante:r-1', 'staff_orders:a', 'staff_orders:b']);
  Socket.last.grants();
  Socket.last.says({ id: '101', type: 'order.new', channel: 'restaurante:r-1', data: {}, timestamp: '' });
  assert.deepEqual([orders.state, staff.state, values.length], ['live', 'live', 1]);
});

test('a server without v=2 is used with what there is', async () => {
  const { pulso, errors, time } = world();
  const [one, sales, orders, staff, own] = [pulso.stats('a'), pulso.sales('a'), pulso.orders(), pulso.staff(), pulso.channel('canal:a:caja')];
  const sold = heard<any>(sales);
  const holes = heard<any>(own, 'resync');
  await settled();
  Socket.last.opens();
  const { channel: _, ...old } = stats('a', 1);
  Socket.last.says(old, { type: 'error', message: 'not allowed to subscribe to this channel' }, { type: 'pong' });
  assert.deepEqual([pulso.status.state, pulso.session, one.latest!.total_citas, one.state, sales.state], ['connected', null, 1, 'live', 'live']);
  assert.deepEqual([orders.error!.code, staff.error!.code], ['too_old_server', 'too_old_server']);
  assert.deepEqual(errors.map(({ code }) => code), ['forbidden', 'too_old_server', 'too_old_server']);
  Socket.last.closes();
  await time.pass(1_000);
  Socket.last.opens();
  Socket.last.says({ type: 'pong' });
  assert.equal(holes.length, 1, 'without a position nobody knows what the gap has swallowed');
  const { channel: __, ...event } = sale(101);
  Socket.last.says(event, event);
  assert.equal(sold.length, 1);
  Socket.last.closes();
  await time.pass(2_000);
  assert.match(Socket.last.url, /since=101$/);
});

test('a token without v=2 is renewed a tenth of its life before its end', async () => {
  let asked = 0;
  const { pulso, time } = world({ token: undefined, getToken: () => (asked++, token({ id: 'ana', iat: 5, exp: 65, asked })), pingEvery: 1e9 });
  pulso.connect();
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'pong' });
  await time.pass(53_000);
  assert.equal(asked, 1);
  await time.pass(1_500);
  assert.equal(asked, 2);
  assert.equal(Socket.last.asked('auth').length, 2);
  await time.pass(54_500);
  assert.equal(asked, 3);
  assert.equal(Socket.all.length, 1);
});

test('what no server should say throws nothing and changes nothing', async () => {
  const { pulso, errors } = world();
  const one = pulso.stats('a');
  const events = heard<any>(pulso as any, 'event');
  await settled();
  Socket.last.welcomes();
  Socket.last.says('{', '[]', '7', 'null', '"x"', '{}', '{"type":7}', JSON.stringify({ type: 'x', pad: 'y'.repeat(1_000_000) }),
    '{"type":"__proto__","__proto__":{"polluted":1}}', { type: 'hello', v: 9 }, { type: 'subscribed', channel: 'estadisticas:zz', id: 7 }, { type: 'subscribed' },
    { type: 'unsubscribed' }, { type: 'error' }, { type: 'resync' }, { type: 'resync', channels: 'x' }, { type: 'closing' }, { type: 'toString' });
  assert.equal(({} as any).polluted, undefined);
  assert.equal(errors.filter(({ code }) => code === 'protocol').length, 8);
  assert.deepEqual(events.map(({ type }) => type), ['x', '__proto__', 'toString']);
  assert.deepEqual([pulso.session!.v, one.state, pulso.status.state], [2, 'pending', 'connected']);
  Socket.last.says(stats('a', 1));
  assert.equal(one.state, 'live');
});

test('of a hundred and one subscriptions the last alone is refused', async () => {
  const { pulso } = world();
  const all = Array.from({ length: 101 }, (_, n) => pulso.stats(`n${n}`));
  await settled();
  Socket.last.opens();
  Socket.last.says({ type: 'hello', ...HELLO });
  Socket.last.asked('subscribe').forEach(({ channel, ref }, n) => Socket.last.says(n < 100
    ? { type: 'subscribed', channel, ref, id: '1' } : { type: 'error', code: 'too_many_channels', message: 'too many', channel, ref, retry: false }));
  assert.deepEqual(all.map(({ state }) => state).filter((state) => state === 'refused').length, 1);
  assert.equal(all[100]!.error!.code, 'too_many_channels');
});
