import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PulsoServer, type PulsoServerError, type PulsoServerOptions } from '../src/index.js';
import { gate, REACHED, StandIn } from './stand_in.js';

function of(standIn: StandIn, options: Partial<PulsoServerOptions> = {}): PulsoServer {
  return new PulsoServer({ url: standIn.url, key: null, onError: (error) => assert.fail(error), ...options });
}

/** Answers nothing until it is opened. */
async function held(): Promise<{ standIn: StandIn; open: () => void }> {
  const { opened, open } = gate();
  const standIn = await StandIn.start(async () => {
    await opened;
    return REACHED;
  });
  return { standIn, open };
}

test('of the hints of a business that wait the latest is sent', async () => {
  const { standIn, open } = await held();
  await using _ = standIn;
  const pulso = of(standIn);
  pulso.cita('n-1', { action: 'created' });
  await standIn.until(1);
  pulso.cita('n-1', { action: 'updated' });
  pulso.cita('n-2');
  pulso.cita('N-1', { action: 'deleted' });
  open();
  assert.equal(await pulso.flush({ timeout: 30_000 }), 0);
  const said = standIn.heard.map(({ body }) => body);
  assert.deepEqual(said[0], { negocio_id: 'n-1', action: 'created' });
  assert.equal(said.length, 3);
  assert.deepEqual(said.find(({ action }) => action === 'deleted'), { negocio_id: 'N-1', action: 'deleted' });
  const { headers, path } = standIn.heard[0] as (typeof standIn.heard)[0];
  assert.deepEqual([path, headers.authorization, headers['idempotency-key']], ['/notify/cita', undefined, undefined]);
});

test('no hint with a transaction is merged, and none waits for another', async () => {
  const { standIn, open } = await held();
  await using _ = standIn;
  const pulso = of(standIn);
  for (const xid of ['700', 701, 18446744073709551615n]) pulso.cita('n-1', { xid });
  pulso.cita('n-1');
  pulso.consulta('cocina', 'r-1', { xid: '702' });
  // All are under way though none is answered.
  await standIn.until(5);
  open();
  await pulso.flush({ timeout: 30_000 });
  assert.deepEqual(
    standIn.heard.map(({ body }) => body['xid']).sort(),
    ['18446744073709551615', '700', '701', '702', undefined],
  );
});

test('hints of live queries name one or several, and are merged where they name the same', async () => {
  const { standIn, open } = await held();
  await using _ = standIn;
  const pulso = of(standIn);
  for (const _time of [1, 2, 3]) {
    pulso.consulta('cocina', 'r-1');
    pulso.consulta(['cocina', 'mesas'], ['r-1', 2]);
    pulso.consulta('abiertas');
  }
  await standIn.until(3);
  open();
  await pulso.flush({ timeout: 30_000 });
  assert.equal(standIn.heard.length, 6);
  assert.deepEqual(standIn.heard.slice(0, 3).map(({ body }) => body), [
    { name: 'cocina', key: 'r-1' },
    { names: ['cocina', 'mesas'], keys: ['r-1', 2] },
    { name: 'abiertas' },
  ]);
});

test('a hint is not repeated after a 500, for Pulso repeats, but after all else that passes', async () => {
  await using broken = await StandIn.saying({ status: 500, body: { error: 'figures_unavailable', message: 'later' } });
  const pulso = of(broken);
  pulso.cita('n-1');
  await pulso.flush({ timeout: 30_000 });
  assert.equal(broken.heard.length, 1);

  await using busy = await StandIn.saying(null, { status: 503 }, { status: 429 }, REACHED);
  const patient = of(busy);
  patient.cita('n-1');
  await patient.flush({ timeout: 30_000 });
  assert.equal(busy.heard.length, 4);
});

test('a hint that waits to be repeated gives way to a newer one', async () => {
  const closed = gate();
  await using standIn = await StandIn.start(async (_call, place) => {
    if (place > 0) return REACHED;
    await closed.opened;
    return { status: 503 };
  });
  const pulso = of(standIn);
  pulso.cita('n-1', { action: 'created' });
  await standIn.until(1);
  pulso.cita('n-1', { action: 'deleted' });
  closed.open();
  await pulso.flush({ timeout: 30_000 });
  assert.deepEqual(standIn.heard.map(({ body }) => body['action']), ['created', 'deleted']);
});

test('what is wrong with a hint goes to onError, and to nobody else', async () => {
  await using standIn = await StandIn.saying({ status: 401, body: { error: 'unauthorized', message: 'wrong key' } });
  const told: PulsoServerError[] = [];
  const pulso = of(standIn, { onError: (error) => told.push(error), maxQueued: 1 });
  pulso.cita(10n as never);
  pulso.cita('x'.repeat(20_000));
  pulso.consulta(Object.create(null) as never, 1n as never);
  pulso.cita('n-1');
  pulso.cita('n-2');
  await pulso.flush({ timeout: 30_000 });
  assert.deepEqual(
    told.map(({ code, field, status }) => [code, field, status]),
    [
      ['bad_payload', 'negocio_id', undefined],
      ['bad_payload', 'negocio_id', undefined],
      ['bad_payload', 'key', undefined],
      ['queue_full', undefined, undefined],
      ['refused', undefined, 401],
    ],
  );
});
