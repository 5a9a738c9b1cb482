import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { PulsoServer, PulsoServerError, type PulsoServerOptions } from '../src/index.js';
import { gate, REACHED, StandIn } from './stand_in.js';

const KEY = 'the-key-of-the-hooks';
const SALE = { negocio_id: 'n-1', saleId: 1, tableId: null, total: '45.50', timestamp: '2025-07-20T10:30:00Z' };
const TABLE = { negocio_id: 'n-1', tableId: 1, action: 'status_changed' };

function of(standIn: StandIn, options: Partial<PulsoServerOptions> = {}): PulsoServer {
  return new PulsoServer({ url: standIn.url, key: KEY, onError: () => {}, ...options });
}

async function refusal(promise: Promise<unknown>): Promise<PulsoServerError> {
  const failure: unknown = await promise.then(
    () => assert.fail('it was accepted'),
    (error: unknown) => error,
  );
  assert.ok(failure instanceof PulsoServerError, String(failure));
  return failure;
}

test('an event is repeated with one key until it is accepted', async () => {
  const statuses = [408, 429, 500, 502, 503, 504].map((status) => ({ status }));
  await using standIn = await StandIn.saying(null, ...statuses, REACHED);
  assert.deepEqual(await of(standIn).venta(SALE), { ok: true, clients: 1 });
  assert.equal(standIn.heard.length, 8);
  const keys = new Set(standIn.heard.map(({ headers }) => headers['idempotency-key']));
  assert.equal(keys.size, 1);
  assert.match([...keys][0] as string, /^[0-9a-f-]{36}$/);
  for (const { path, headers, body } of standIn.heard) {
    assert.deepEqual([path, headers.authorization, body], ['/notify/venta', `Bearer ${KEY}`, SALE]);
  }
});

test("a caller's own key is sent, and two events have two keys", async () => {
  await using standIn = await StandIn.saying(REACHED);
  const pulso = of(standIn);
  await pulso.venta(SALE, { idempotencyKey: 'sale 1' });
  await Promise.all([pulso.venta(SALE), pulso.venta(SALE)]);
  const [first, second, third] = standIn.heard.map(({ headers }) => headers['idempotency-key']);
  assert.equal(first, 'sale 1');
  assert.notEqual(second, third);
});

test('a key that no header can carry is refused before anything is sent, by its name', async () => {
  await using standIn = await StandIn.saying(REACHED);
  for (const idempotencyKey of ['', 'a\nb', 'a\r\nx-api-key: b', ' a', 'ñ', 'x'.repeat(256)]) {
    const error = await refusal(of(standIn).venta(SALE, { idempotencyKey }));
    assert.deepEqual([error.code, error.field], ['bad_payload', 'idempotencyKey'], JSON.stringify(idempotencyKey));
  }
  assert.equal(standIn.heard.length, 0);
});

test('a payload that cannot be sent is refused before anything is, by the name of its field', async () => {
  await using standIn = await StandIn.saying(REACHED);
  const cycle: Record<string, unknown> = {};
  cycle['again'] = cycle;
  for (const [field, more] of [['total', { total: Number.NaN }], ['saleId', { saleId: 10n }], ['more.again', { more: cycle }], ['notes', { notes: 'x'.repeat(20_000) }]] as const) {
    const error = await refusal(of(standIn).venta({ ...SALE, ...more } as unknown as typeof SALE));
    assert.deepEqual([error.code, error.field], ['bad_payload', field]);
  }
  assert.equal(standIn.heard.length, 0);
});

test('what is wrong with a call is told at once and not sent again', async () => {
  for (const status of [400, 401, 404, 405, 413, 415, 302]) {
    const headers = { location: '/notify/mesa' };
    await using standIn = await StandIn.saying({ status, headers, body: { error: 'bad_request', message: 'saleId is missing' } });
    const told: PulsoServerError[] = [];
    const error = await refusal(of(standIn, { onError: (one) => told.push(one) }).venta(SALE));
    assert.deepEqual([error.code, error.status, error.word, error.attempts], ['refused', status, 'bad_request', 1]);
    assert.equal(error.message, `venta: ${status} bad_request: saleId is missing`);
    assert.equal(standIn.heard.length, 1);
    assert.deepEqual(told, [error]);
  }
});

test('what Retry-After asks for is waited, and no more than there is time for', async () => {
  await using standIn = await StandIn.saying({ status: 429, headers: { 'retry-after': '1' } }, REACHED);
  await of(standIn).venta(SALE);
  const [first, second] = standIn.heard.map(({ at }) => at);
  assert.ok(Number(second) - Number(first) >= 990, `${first}, ${second}`);

  await using away = await StandIn.saying({ status: 503, headers: { 'retry-after': '3600' }, body: { error: 'busy', message: 'too many' } });
  const error = await refusal(of(away).venta(SALE));
  assert.equal(error.message, 'venta: given up after 1 attempt: 503 busy: too many');
});

test('what is not accepted for so long is given up, and says why', async () => {
  const pulso = new PulsoServer({ url: 'http://127.0.0.1:9', key: KEY, retryFor: 500, onError: () => {} });
  const error = await refusal(pulso.venta(SALE));
  assert.equal(error.code, 'unavailable');
  assert.match(error.message, /^venta: given up after \d+ attempts?: no answer( \([A-Z0-9_]+\))?$/);

  const closed = gate();
  await using silent = await StandIn.start(async () => {
    await closed.opened;
    return REACHED;
  });
  const late = await refusal(of(silent, { timeout: 50, retryFor: 0 }).venta(SALE));
  assert.equal(late.message, 'venta: given up after 1 attempt: no answer within 50 ms');
  closed.open();
});

test('events of one business stay in order, and another does not wait for them', async () => {
  const closed = gate();
  let sales = 0;
  await using standIn = await StandIn.start(async ({ path }) => {
    if (path !== '/notify/venta') return REACHED;
    sales += 1;
    if (sales < 3) return { status: 503 };
    await closed.opened;
    return REACHED;
  });
  const pulso = of(standIn);
  const order: unknown[] = [];
  const told = [
    pulso.venta(SALE).then(() => order.push('sale')),
    // The same business by another spelling, and by a message of its own.
    pulso.mesa({ ...TABLE, negocio_id: 'N-1' }).then(() => order.push('table')),
    pulso.publish([{ channel: 'canal:n-1:caja', type: 'x', data: null }]).then(() => order.push('message')),
  ];
  const other = pulso.mesa({ ...TABLE, negocio_id: 'n-2' }).then(() => order.push('another'));
  await other;
  closed.open();
  await Promise.all(told);
  assert.deepEqual(order, ['another', 'sale', 'table', 'message']);
  assert.deepEqual(
    standIn.heard.filter(({ body }) => body['negocio_id'] !== 'n-2').map(({ path }) => path),
    [...Array(3).fill('/notify/venta'), '/notify/mesa', '/api/publish'],
  );
});

test('a batch for two businesses waits for both, and both wait for it', async () => {
  const closed = gate();
  await using standIn = await StandIn.start(async (_call, place) => {
    if (place === 0) await closed.opened;
    return REACHED;
  });
  const pulso = of(standIn);
  const message = (negocio: string) => ({ channel: `canal:${negocio}:caja`, type: 'x', data: negocio });
  const told = [
    pulso.mesa({ ...TABLE, negocio_id: 'a' }),
    pulso.publish([message('a'), message('b')]),
    pulso.mesa({ ...TABLE, negocio_id: 'b' }),
    pulso.mesa({ ...TABLE, negocio_id: 'a', tableId: 2 }),
  ];
  await standIn.until(1);
  closed.open();
  await Promise.all(told);
  assert.deepEqual(standIn.heard.slice(0, 2).map(({ path }) => path), ['/notify/mesa', '/api/publish']);
});

test('an event that is refused does not hold up what stands behind it', async () => {
  await using standIn = await StandIn.saying({ status: 400 }, REACHED);
  const pulso = of(standIn);
  const first = refusal(pulso.venta(SALE));
  assert.deepEqual(await pulso.venta(SALE), { ok: true, clients: 1 });
  assert.equal((await first).code, 'refused');
});

test('a full queue refuses at once', async () => {
  const closed = gate();
  await using standIn = await StandIn.start(async () => {
    await closed.opened;
    return REACHED;
  });
  const pulso = of(standIn, { maxQueued: 2 });
  const kept = [pulso.venta(SALE), pulso.venta(SALE)];
  const error = await refusal(pulso.mesa(TABLE));
  assert.deepEqual([error.code, error.message, error.attempts], ['queue_full', 'mesa: 2 calls wait already', 0]);
  closed.open();
  await Promise.all(kept);
  await pulso.mesa(TABLE);
});

test('flush tries at once what waits, waits for it, and says what is left', async () => {
  const pulso = new PulsoServer({ url: 'http://127.0.0.1:9', key: KEY, onError: () => {}, retryFor: 2_000 });
  assert.equal(await pulso.flush(), 0);
  const lost = [refusal(pulso.venta(SALE)), refusal(pulso.mesa(TABLE))];
  assert.equal(await pulso.flush({ timeout: 100 }), 2);
  await Promise.all(lost);
  assert.equal(await pulso.flush(), 0);

  await using standIn = await StandIn.saying(null, REACHED);
  const back = of(standIn);
  const told = back.venta(SALE);
  await standIn.until(1);
  assert.equal(await back.flush({ timeout: 30_000 }), 0);
  await told;
});

test('neither key nor payload stands in an error, whoever quotes them', async () => {
  const secret = 'Ana Pérez, 0991234567';
  for (const quoted of [KEY, secret, '45.50', JSON.stringify(SALE)]) {
    for (const status of [400, 503]) {
      const body = { error: 'bad_request', message: `what is ${quoted}?` };
      await using standIn = await StandIn.saying({ status, body });
      const error = await refusal(of(standIn, { retryFor: 0 }).venta({ ...SALE, customer: secret }));
      const text = `${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause}`;
      for (const kept of [KEY, secret, '45.50']) assert.ok(!text.includes(kept), text);
      assert.equal(error.word, 'bad_request');
    }
  }
});

test('what answers and is not Pulso has not taken an event', async () => {
  await using standIn = await StandIn.saying({ status: 200, body: '<h1>Welcome</h1>' });
  assert.equal((await refusal(of(standIn).venta(SALE))).message, 'venta: what answered is not Pulso');
});

test('an event that nobody waits for does not end its process, and is told on the console', () => {
  const script = `
    import { PulsoServer } from './src/index.ts';
    const pulso = new PulsoServer({ url: 'http://127.0.0.1:9', key: 'k', retryFor: 0 });
    void pulso.mesa({ tableId: 1, action: 'x' });
    pulso.cita('n-1');
    new PulsoServer({ url: 'http://127.0.0.1:9', key: 'k', retryFor: 0, onError() { throw new Error('secret') } }).cita('n-1');
  `;
  const ended = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(ended.status, 0, ended.stderr);
  assert.match(ended.stderr, /pulso: mesa: given up after 1 attempt/);
  assert.match(ended.stderr, /pulso: cita: given up after 1 attempt/);
  assert.match(ended.stderr, /PulsoServer: onError threw Error/);
  assert.ok(!ended.stderr.includes('secret'));
});
