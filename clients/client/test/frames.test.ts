// Frames as no server should say them: any type with anything in it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HELLO, heard, settled, Socket, stats, world } from './world.ts';

const TYPES = ['hello', 'subscribed', 'unsubscribed', 'error', 'stats', 'consulta', 'resync', 'closing', 'authenticated', 'expiring', 'pong', 'newSale', 'order_status_changed', '__proto__', 'x'];
const KEYS = ['channel', 'id', 'ref', 'code', 'message', 'retry', 'after', 'reason', 'channels', 'data', 'seq', 'v', 'user', 'negocios', 'restaurant', 'now', 'expires', 'ping', 'silence', 'again'];
const value = fc.oneof(
  fc.constantFrom<unknown>('negocio', 'negocio:a', 'estadisticas:a', 'consulta:x:1', 'canal:a:x', 'device', 'staff_orders', '', '1', '2', '__proto__', 'unchecked', 'bad_token', 'withdrawn'),
  fc.constantFrom<unknown>(null, 0, -1, 7, 1e300, true, [], {}, [5], ['negocio:a'], [null], { negocio_id: 'a' }, { toString: 1, valueOf: 1 }, [{ toString: 1 }]),
  fc.jsonValue(),
);
const frame = fc.record({ type: fc.constantFrom(...TYPES), ...Object.fromEntries(KEYS.map((key) => [key, value])) }, { requiredKeys: ['type'] });

test('whatever is in a frame, nothing is thrown, nothing goes round for ever, and what comes after it is heard', async () => {
  await fc.assert(fc.asyncProperty(fc.array(frame as fc.Arbitrary<object>, { maxLength: 25 }), fc.boolean(), async (frames, isOld) => {
    const { pulso, time } = world({ getToken: () => 'h.x.y' });
    let timers = 0;
    const { setTimeout } = time.clock;
    time.clock.setTimeout = (act, ms) => (assert.ok(++timers < 3_000, 'it goes round for ever'), setTimeout(act, ms));
    const held = [pulso.sales(), pulso.sales('a'), pulso.staff(), pulso.orders(), pulso.channel('canal:a:x'), pulso.query('x', 1), pulso.query('y')];
    await settled();
    Socket.last.opens();
    if (isOld) Socket.last.says({ type: 'pong' });
    for (const one of frames) if (Socket.last.readyState === 1) Socket.last.says(one);
    held.push(pulso.staff('q'), pulso.sales('zz'));
    await time.pass(100);
    pulso.reconnect();
    await settled();
    const values = heard(pulso.stats('fine'));
    await settled();
    Socket.last.opens();
    Socket.last.says({ type: 'hello', ...HELLO }, stats('fine', 1));
    assert.equal(values.length, 1);
    pulso.close();
    await settled();
    assert.deepEqual([time.waiting, held.filter(({ state }) => state !== 'closed').length], [0, 0]);
  }), { numRuns: Number(process.env['RUNS'] ?? 300), includeErrorInReport: true });
});
