import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BadField, encode, quotes } from '../src/body.js';
import { PulsoServer, type PulsoServerOptions } from '../src/index.js';
import { asked, backoff, judge } from '../src/retry.js';

function field(value: unknown): string {
  try {
    encode(value, 'event', 16_384);
  } catch (error) {
    assert.ok(error instanceof BadField, String(error));
    return error.field;
  }
  return assert.fail('it was encoded');
}

test('what JSON cannot say is refused by the name of its field', () => {
  const cycle: Record<string, unknown> = { items: [{}] };
  (cycle['items'] as unknown[])[0] = { order: cycle };
  assert.equal(field(cycle), 'items[0].order');
  assert.equal(field({ total: Number.NaN }), 'total');
  assert.equal(field({ items: [{ qty: 1 }, { qty: Infinity }] }), 'items[1].qty');
  assert.equal(field({ id: 10n }), 'id');
  assert.equal(field({ 'a b': { c: () => 1 } }), '["a b"].c');
  assert.equal(field({ at: Symbol('x') }), 'at');
  assert.equal(field({ rows: new Map() }), 'rows');
  assert.equal(field({ short: 'x', notes: 'x'.repeat(20_000) }), 'notes');
  assert.equal(field([{ data: 1 }, { data: 'ñ'.repeat(10_000) }]), '[1]');
  assert.equal(field(undefined), 'event');
  let deep: unknown = null;
  for (let depth = 0; depth < 100; depth += 1) deep = [deep];
  assert.match(field({ deep }), /^deep(\[0\])+$/);
});

test('all else is written as JSON.stringify writes it', () => {
  const shared = { a: 1 };
  const values = [
    { total: '45.50', at: new Date(0), gone: undefined, list: [undefined, null, true], twice: [shared, shared], '"': '\ud83d é' },
    [{ nested: { toJSON: () => ({ money: '31.00' }) } }],
    Object.assign(Object.create({ inherited: 1 }), { own: 1 }),
    7,
  ];
  for (const value of values) assert.equal(encode(value, 'event', 16_384), JSON.stringify(value));
  assert.equal(encode(JSON.parse('{"__proto__":1}'), 'event', 99), '{"__proto__":1}');
});

test('what is quoted of a payload is noticed wherever it stands', () => {
  const sent = JSON.stringify({ a: [{ b: 'Hamburguesa' }], n: 123456, short: 'is' });
  for (const says of ['no Hamburguesa here', 'what is 123456?']) assert.ok(quotes(says, sent), says);
  assert.ok(!quotes('negocio_id is missing', sent));
});

test('each answer is repeated, refused or enough', () => {
  const of = (status: number | null, isHint: boolean) =>
    judge(status === null ? { status, why: '' } : { status, body: '', retryAfter: null }, isHint);
  for (const isHint of [true, false]) {
    for (const status of [200, 202]) assert.equal(of(status, isHint), 'done');
    for (const status of [null, 408, 429, 502, 503, 504]) assert.equal(of(status, isHint), 'repeat');
    for (const status of [301, 307, 400, 401, 403, 404, 405, 413, 415, 422, 431, 501]) assert.equal(of(status, isHint), 'refused');
  }
  assert.deepEqual([of(500, true), of(500, false)], ['done', 'repeat']);
});

test('a pause doubles up to a bound, and is never the same for all', () => {
  for (const [attempts, whole] of [[1, 200], [2, 400], [5, 3_200], [6, 5_000], [500, 5_000]] as const) {
    assert.equal(backoff(attempts, undefined, () => 0), whole / 2);
    assert.equal(backoff(attempts, undefined, () => 1), whole);
  }
  assert.equal(backoff(9, 500, () => 1), 500);
});

test('Retry-After is read as seconds and as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(asked('7', now), 7_000);
  assert.equal(asked('Thu, 01 Jan 2026 00:00:09 GMT', now), 9_000);
  assert.equal(asked('Thu, 01 Jan 2015 00:00:00 GMT', now), 0);
  for (const nothing of [null, '', 'soon', '-1', '1.5']) assert.ok((asked(nothing, now) ?? 0) >= 0, String(nothing));
});

test('an option that cannot be is refused by its name', () => {
  const good = { url: 'http://localhost:8080', key: 'k' };
  const bad: [string, Record<string, unknown>][] = [
    ['url', { url: '' }],
    ['url', { url: undefined }],
    ['url', { url: 'ftp://localhost' }],
    ['url', { url: 'http://ana:secret@localhost' }],
    ['url', { url: 'http://localhost?key=1' }],
    ['key', { key: '' }],
    ['key', { key: undefined }],
    ['key', { key: 'a\nb' }],
    ['key', { key: 'a ' }],
    ['timeout', { timeout: 0 }],
    ['retryFor', { retryFor: Number.NaN }],
    ['maxQueued', { maxQueued: 1.5 }],
    ['onError', { onError: 'console' }],
  ];
  for (const [name, option] of bad) {
    const make = () => new PulsoServer({ ...good, ...option } as PulsoServerOptions);
    assert.throws(make, (error) => error instanceof TypeError && error.message.startsWith(`${name} must`) && !error.message.includes('secret'));
  }
  new PulsoServer({ url: new URL('https://example.com/pulso/'), key: null });
});
