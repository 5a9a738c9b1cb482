// Owns what ties a machine to its platform: sockets, timers, the window, storage, an application's listeners.

import type { Frame } from './channels.js';
import { whose } from './claims.js';
import { PulsoError, type PulsoErrorCode } from './errors.js';
import { parse } from './exact.js';
import type { Timer } from './io.js';
import { listeners } from './listeners.js';
import { machine } from './machine.js';
import { type Line, socket, type Told } from './socket.js';
import { Held } from './subscription.js';
import type { Clock, PulsoEvents, PulsoOptions, Session, Subscription } from './types.js';

const CLOCK: Clock = {
  now: () => Date.now(),
  setTimeout: (act, ms) => setTimeout(act, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};
/** What waits longer is not waited for at all by a platform. */
const LONGEST_MS = 2 ** 31 - 1;
const soon = (act: () => void) => void Promise.resolve().then(act);
/** A line that is not there yet, or never will be. */
const noLine = (): Line => ({ send() {}, close() {} });

/** `http` and `ws` are one: whether by TLS, what stands behind `//`, and behind `?`. */
function placeOf(url: string | URL): [rest: string, query: string] {
  const [, scheme, tls = '', host = '', path = '', query = ''] = /^(http|ws)(s?):\/\/([^/?#]+)([^?#]*)(?:\?([^#]*))?/i.exec(String(url)) ?? [];
  const wrong = !scheme ? 'is no http(s) or ws(s) address'
    : host.includes('@') ? 'must not carry credentials'
      : /(^|&)token=/.test(query) ? 'must not carry a token' : '';
  if (wrong) throw new TypeError(`url ${wrong}`);
  return [`${tls.toLowerCase()}://${host}${path.replace(/\/+$/, '')}`, query && `${query}&`];
}

export type Connection = ReturnType<typeof connection>;

/** `device`: what a kiosk calls itself. */
export function connection(options: PulsoOptions, device?: string) {
  const { store, clock = CLOCK, getToken, backoff = {} } = options;
  const [rest, query] = placeOf(options.url);
  const Socket = options.WebSocket ?? globalThis.WebSocket;
  const fetcher = options.fetch ?? globalThis.fetch;
  const transports = (options.transports ?? ['websocket', 'sse']).filter((name) => name === 'websocket' || fetcher);
  if (!Socket && transports.includes('websocket')) throw new TypeError('WebSocket: missing here, pass that of ws');
  const timers = new Map<Timer, unknown>();
  let line: Line | null = null;
  let aborter: AbortController | undefined;
  let isSettling = false;
  /** Whose positions are in memory. */
  let loaded: string | undefined;

  const report = (thrown: unknown) => void clock.setTimeout(() => {
    throw thrown;
  }, 0);
  const heard = listeners(report);

  /** What is taken and left in one go needs no word to the server. */
  function settle() {
    if (!isSettling) soon(() => {
      isSettling = false;
      it.timer('settle', 0);
    });
    isSettling = true;
  }

  function emit<E extends keyof PulsoEvents>(event: E, value: PulsoEvents[E]) {
    heard.emit(event, value);
    if (event === 'status') watch(it.status.state);
  }

  const it = machine({
    min: backoff.min ?? 1_000,
    max: backoff.max ?? 30_000,
    pingEvery: options.pingEvery,
    answerWithin: options.answerWithin,
    linger: options.linger ?? 5_000,
    transports,
    token: options.token,
    asks: !!getToken,
    device: device !== undefined,
  }, {
    emit,
    now: () => clock.now(),
    random: options.random ?? Math.random,
    open(transport) {
      load();
      let mine = line = noLine();
      // What an earlier line still says is passed over.
      const told: Told = {
        opened: () => line === mine && it.opened(),
        frame: (text) => line === mine && it.frame(parse(text, options.numbers !== 'plain') as Frame),
        closed: (code, reason, details) => line === mine && it.closed(code, reason, details),
      };
      const fail = (cause: unknown) => told.closed(1006, String(cause), { cause });
      const address = (scheme: string, path: string) => `${scheme}${rest}${path}?${query}v=2${device === undefined ? '' : `&device_uid=${encodeURIComponent(device)}`}`;
      if (transport === 'websocket') {
        try {
          line = mine = socket(`${address('ws', device === undefined ? '/ws' : '/ws/kiosk/orders/')}&since=${it.channels.since()}`, Socket!, clock, told);
        } catch (cause) {
          soon(() => fail(cause));
        }
      } else {
        // Loaded when it is needed first.
        import('./sse.js').then(({ stream }) => {
          if (line !== mine) return;
          line = mine = stream(address('http', '/sse'), it.channels.since, fetcher!, clock, told);
          it.opened();
        }).catch(fail);
      }
    },
    drop() {
      const was = line;
      line = null;
      was?.close();
    },
    send: (frame) => line?.send(frame),
    timer(name, ms) {
      if (name === 'settle' && ms === 0) return settle();
      clock.clearTimeout(timers.get(name));
      timers.delete(name);
      if (ms === null) return;
      const wait = Math.min(ms, LONGEST_MS);
      const due = clock.now() + wait;
      timers.set(name, clock.setTimeout(() => {
        timers.delete(name);
        it.timer(name, clock.now() - due);
      }, wait));
    },
    ask(reason, previous) {
      const mine = aborter = globalThis.AbortController ? new AbortController() : { abort() {} } as AbortController;
      const ifMine = (act: (answer: unknown) => void) => (answer: unknown) => aborter === mine && act(answer);
      Promise.resolve().then(() => getToken!({ reason, previous, signal: mine.signal })).then(ifMine(it.gotToken), ifMine(it.noToken));
    },
    unask() {
      const was = aborter;
      aborter = undefined;
      was?.abort();
    },
    save() {
      if (!store || !loaded) return;
      const { seen } = it.channels;
      try {
        seen.size ? store.write(rest, JSON.stringify({ of: loaded, seen: [...seen] })) : store.remove(rest);
      } catch {
        // Memory has it.
      }
    },
  });

  /** Positions of whoever is going to be known to the server. */
  function load() {
    const of = device ?? whose(it.token);
    if (!store || of === loaded) return;
    loaded = of;
    // Who a token does not name is not remembered.
    if (!of) return;
    try {
      const kept = JSON.parse(store.read(rest) ?? '');
      const { seen } = it.channels;
      if (kept.of === of) for (const [channel, id] of kept.seen) if (/^\d{1,20}$/.test(id) && !seen.has(channel)) seen.set(String(channel), id);
    } catch {
      // Nothing of ours.
    }
  }

  const { window, document, navigator } = globalThis as Partial<Window & typeof globalThis>;
  const hasNetwork = options.network !== false && window && navigator?.onLine !== undefined;
  const isLookedAt = options.visibility !== false;
  const nudges: [target: EventTarget | false | undefined, event: string, act: (event: any) => void][] = [
    [hasNetwork && window, 'online', () => it.online(true)],
    [hasNetwork && window, 'offline', () => it.online(false)],
    [isLookedAt && document, 'visibilitychange', () => document!.visibilityState === 'visible' && it.wake()],
    // A browser keeps a page to go back to only if nothing is open on it.
    [isLookedAt && window, 'pagehide', ({ persisted }) => persisted && it.sleep()],
    [isLookedAt && window, 'pageshow', ({ persisted }) => persisted && it.wake()],
  ];
  let isWatching = false;
  function watch(state: string) {
    const isActive = state !== 'idle' && state !== 'stopped';
    if (isActive === isWatching) return;
    isWatching = isActive;
    for (const [target, event, act] of nudges) {
      if (target) target[`${isActive ? 'add' : 'remove'}EventListener`]?.(event, act);
    }
    // What happened while nobody listened.
    if (isActive && hasNetwork) it.online(navigator.onLine);
  }

  return Object.assign(Object.create(it) as typeof it, {
    on: heard.on,
    listen: <T>(name: string): Subscription<T> => new Held<T>(it.channels.hold(name), report, settle),
    ready({ signal, timeout }: { signal?: AbortSignal; timeout?: number } = {}) {
      let undo!: () => void;
      return new Promise<Session>((resolve, reject) => {
        const fail = (code: PulsoErrorCode, cause?: unknown) => reject(new PulsoError(code, undefined, { cause }));
        const abort = () => fail('aborted', signal!.reason);
        const look = ({ state, error }: PulsoEvents['status']) => {
          if (state === 'connected') resolve(it.session ?? { v: 1 });
          else if (state === 'stopped') reject(error);
          // Closed, or nobody's any more: nothing is waited for.
          else if (state === 'idle') fail('aborted');
        };
        const off = heard.on('status', look);
        const timer = timeout === undefined ? timeout : clock.setTimeout(() => fail('timeout'), Math.min(timeout, LONGEST_MS));
        signal?.addEventListener('abort', abort);
        undo = () => {
          off();
          signal?.removeEventListener('abort', abort);
          clock.clearTimeout(timer);
        };
        if (signal?.aborted) return abort();
        if (it.status.state === 'idle') it.connect();
        look(it.status);
      }).finally(undo);
    },
  });
}
