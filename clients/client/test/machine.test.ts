// Whatever happens in whatever order: never two sockets, never an attempt when stopped, never a value after a refusal, each event
// once and in order, nothing left after the end; also where a listener does something while it is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Subscription, TokenContext } from '../src/index.ts';
import { away, back, onPage, say } from './window.ts';
import { HELLO, sale, settled, Socket, stats, token, world } from './world.ts';

const USERS = [token({ id: 'ana', n: 1 }), token({ id: 'ana', n: 2 }), token({ id: 'eva' }), 'opaque'];
const CODES = [1000, 1001, 1002, 1006, 1008, 1009, 1012, 1013, 4001, 4003];
const REASONS = ['', 'token expired', "another user's token", 'authentication timeout', 'invalid token'];
const FRAMES = [
  { type: 'pong' }, { type: 'expiring', expires: 9e9 }, { type: 'authenticated', now: 1_000, expires: 1_006 },
  { type: 'closing', code: 1001, reason: 'going away', again: true, after: 0 }, { type: 'closing', code: 1002, reason: '', again: false, after: 0 },
  { type: 'error', code: 'bad_token', message: 'x', retry: false }, { type: 'error', code: 'unchecked', message: 'x', after: 1_000 },
  { type: 'error', code: 'forbidden', message: 'x', channel: 'estadisticas:a' }, { type: 'error', code: 'unavailable', message: 'x', channel: 'estadisticas:a', retry: true },
  { type: 'unsubscribed', channel: 'estadisticas:a', reason: 'withdrawn' }, { type: 'resync', channels: ['negocio:a'], id: '500' }, '{', '[]',
];

type Step =
  | { do: 'open' | 'errorOnly' | 'offline' | 'online' | 'hide' | 'show' | 'cache' | 'welcome' | 'connect' | 'reconnect' | 'answer' | 'fail' | 'grant' }
  | { do: 'pass'; ms: number } | { do: 'close'; code: number; reason: string } | { do: 'frame'; n: number } | { do: 'event'; id: number } | { do: 'stats'; seq: number }
  | { do: 'setToken'; n: number } | { do: 'subscribe'; what: number } | { do: 'leave'; n: number }
  /** As those, by whichever listener is told of something next. */
  | { do: 'inside'; it: Step };

const plain = fc.constantFrom('open', 'errorOnly', 'offline', 'online', 'hide', 'show', 'cache', 'welcome', 'welcome', 'connect', 'reconnect', 'answer', 'fail', 'grant').map((name) => ({ do: name }) as Step);
const called: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom('connect', 'reconnect').map((name) => ({ do: name }) as Step),
  fc.record({ do: fc.constant('setToken' as const), n: fc.integer({ min: -1, max: 3 }) }),
  fc.record({ do: fc.constant('subscribe' as const), what: fc.nat(4) }),
  fc.record({ do: fc.constant('leave' as const), n: fc.nat(5) }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: plain },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 500, 1_000, 5_000, 31_000, 100_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const), code: fc.constantFrom(...CODES), reason: fc.constantFrom(...REASONS) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('frame' as const), n: fc.nat(FRAMES.length - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('event' as const), id: fc.integer({ min: 90, max: 600 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('stats' as const), seq: fc.nat(20) }) },
  { weight: 4, arbitrary: called },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('inside' as const), it: called }) },
);

test('whatever happens, in whatever order', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80, size: 'max' }), fc.boolean(), (steps, asks) => onPage(async (page, navigator) => {
    const problems: string[] = [];
    /** Who is waited for; none of those whose signal says that nobody does. */
    let waiting: { resolve(token: string | null): void; reject(why: Error): void; signal: AbortSignal }[] = [];
    const getToken = ({ signal }: TokenContext) => new Promise<string | null>((resolve, reject) => {
      if (signal.aborted) return;
      if (waiting.length) problems.push('two calls of getToken at a time');
      waiting.push({ resolve, reject, signal });
      signal.addEventListener('abort', () => waiting = waiting.filter((one) => one.signal !== signal));
    });
    const { pulso, time } = world({ random: () => 0.5, ...(asks ? { token: undefined, getToken } : {}) });
    const subscriptions: Subscription<any>[] = [];
    let tokens = 0;
    /** Changes with whoever may be another user: she has positions of her own. */
    let owner = 0;
    /** Whether the token is of somebody else than `getToken` gives tokens of. */
    let isOther = false;
    /** What the next listener that is told of something does; whether something has been called. */
    let inside: Step | undefined;
    let isCalled = false;

    function call(it: Step) {
      isCalled ||= it.do === 'connect' || it.do === 'reconnect' || it.do === 'setToken';
      if (it.do === 'connect') pulso.connect();
      else if (it.do === 'reconnect') pulso.reconnect();
      else if (it.do === 'setToken') {
        [owner, isOther] = [owner + 1, it.n > 1];
        pulso.setToken(it.n < 0 ? null : USERS[it.n]!);
      } else if (it.do === 'subscribe') watch([() => pulso.stats('a'), () => pulso.sales(), () => pulso.sales('a'), () => pulso.channel('canal:a:x'), () => pulso.orders()][it.what]!());
      else if (it.do === 'leave') subscriptions[it.n]?.close();
    }
    function told() {
      const it = inside;
      inside = undefined;
      if (it) call(it);
    }
    for (const event of ['status', 'session', 'error', 'resync', 'event'] as const) pulso.on(event, told);

    function watch(one: Subscription<any>) {
      let isRefused = false;
      let last = 0;
      let of = owner;
      subscriptions.push(one);
      one.on('state', (state) => {
        isRefused ||= state === 'refused';
        // A new user has rights of her own, and positions.
        if (state === 'pending') [isRefused, last] = [false, 0];
        told();
      });
      one.on('value', (value) => {
        if (isRefused) problems.push('a value after a refusal');
        if (value.id !== undefined) {
          if (of !== owner) [of, last] = [owner, 0];
          if (Number(value.id) <= last) problems.push(`event ${value.id} after ${last}`);
          last = Number(value.id);
        }
        told();
      });
    }

    // Most of what is worth trying happens to somebody who listens.
    const first: Step[] = [{ do: 'subscribe', what: 0 }, { do: 'subscribe', what: 1 }, { do: 'answer' }, { do: 'welcome' }, { do: 'grant' }];
    for (const { ...it } of [...first, ...steps]) {
      const attempts = Socket.all.length;
      const wasStopped = pulso.status.state === 'stopped';
      isCalled = false;
      const socket = Socket.open.at(-1);
      const isOpen = socket?.readyState === 1;
      if (it.do === 'open' && !isOpen) socket?.opens();
      else if (it.do === 'welcome' && socket && !isOpen) socket.welcomes({ now: 1_000, expires: 1_006 });
      else if (it.do === 'grant' && isOpen) {
        socket.says({ type: 'hello', ...HELLO });
        socket.says({ type: 'subscribed', channel: 'negocio:a', id: '100' });
        socket.grants();
      } else if (it.do === 'errorOnly' && socket && !isOpen) socket.fails();
      else if (it.do === 'close' && isOpen) [owner += Number(it.reason.startsWith('another')), socket.closes(it.code, it.reason)];
      else if (it.do === 'frame' && isOpen) {
        // Where a hole is said it is said where to go on, too.
        owner += Number('id' in Object(FRAMES[it.n]));
        socket.says(FRAMES[it.n]!);
      } else if (it.do === 'event' && isOpen) socket.says(sale(it.id));
      else if (it.do === 'stats' && isOpen) socket.says(stats('a', it.seq));
      else if (it.do === 'pass') await time.pass(it.ms);
      else if (it.do === 'answer') waiting.splice(0).forEach(({ resolve }) => {
        const next = ++tokens % 7 ? token({ id: 'ana', tokens }) : null;
        if (next) [owner, isOther] = [owner + Number(isOther), false];
        resolve(next);
      });
      else if (it.do === 'fail') waiting.splice(0).forEach(({ reject }) => reject(new Error('the API is away')));
      else if (it.do === 'offline' || it.do === 'online') {
        navigator.onLine = it.do === 'online';
        await say(page, it.do);
      } else if (it.do === 'hide' || it.do === 'show') {
        page.visibilityState = it.do === 'hide' ? 'hidden' : 'visible';
        await say(page, 'visibilitychange');
      } else if (it.do === 'cache') {
        await away(page);
        if (Socket.open.length && !isCalled) problems.push('a socket on a page that is put away');
        await back(page);
      } else if (it.do === 'inside') inside = it.it;
      else call(it);
      await settled();
      if (Socket.open.length > 1) problems.push('two sockets');
      if (wasStopped && !isCalled && (Socket.all.length > attempts || pulso.status.state !== 'stopped')) problems.push(`stopped, and not after ${it.do}`);
      const { state } = pulso.status;
      if (state === 'connected' && Socket.open.length !== 1) problems.push('connected without a socket');
      if ((state === 'stopped' || state === 'idle' || state === 'waiting') && Socket.open.length) problems.push(`${state} with a socket`);
      if ((state === 'waiting' || state === 'connecting') && !time.waiting) problems.push(`${state} for ever`);
      if (subscriptions.some((one) => one.state === 'live') && state !== 'connected' && state !== 'connecting') problems.push(`live while ${state}`);
      assert.deepEqual(problems, [], it.do);
    }
    pulso.close();
    await settled();
    assert.deepEqual([Socket.open.length, time.waiting, page.listening, subscriptions.filter(({ state }) => state !== 'closed').length], [0, 0, 0, 0]);
  })), { numRuns: Number(process.env['RUNS'] ?? 400), includeErrorInReport: true });
});
