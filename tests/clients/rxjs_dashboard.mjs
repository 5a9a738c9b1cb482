// RxJS `webSocket`, used the way an Angular service uses it: one subject, retry with backoff, subscribe again on open.
//
//   node rxjs_dashboard.mjs --url 'ws://127.0.0.1:8080/ws' --token JWT --negocio ID [--negocio …]
//     [--mode next|multiplex] [--auth query|message] [--count N | --until '{"total_citas":5}'] [--timeout-ms 20000]
//
// Lines: {"event":"open"|"stats"|"error"|"closed"|"retry"|"done", …}. RxJS ends the stream on a frame that is not JSON;
// that is a failure here, as it would be on the screen.

import { parseArgs } from 'node:util';
import { defer, merge, throwError, timer } from 'rxjs';
import { filter, map, repeat, retry, tap } from 'rxjs/operators';
import { webSocket } from 'rxjs/webSocket';
import WebSocket from 'ws';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string', default: process.env.TOKEN ?? '' },
    negocio: { type: 'string', multiple: true, default: [] },
    mode: { type: 'string', default: 'next' },
    auth: { type: 'string', default: 'query' },
    count: { type: 'string' },
    until: { type: 'string' },
    'timeout-ms': { type: 'string', default: '20000' },
  },
});

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
function end(code, line) {
  process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(code));
}
const fail = (reason) => end(1, { event: 'failed', reason });
if (!options.url || options.negocio.length === 0) fail('--url and --negocio are required');

const expected = options.until === undefined ? null : JSON.parse(options.until);
const wanted = options.count === undefined ? null : Number(options.count);
const channels = options.negocio.map((id) => `estadisticas:${id}`);
const subscribeTo = (channel) => ({ type: 'subscribe', data: { channel } });
const unsubscribeFrom = (channel) => ({ type: 'unsubscribe', data: { channel } });

const backoff = (attempt) => {
  const wait_ms = Math.round(Math.random() * Math.min(5000, 100 * 2 ** attempt));
  print({ event: 'retry', attempt, wait_ms });
  return timer(wait_ms);
};

class EstadisticasService {
  opened = 0;

  constructor() {
    const url = new URL(options.url);
    if (options.auth === 'query') url.searchParams.set('token', options.token);
    this.socket$ = webSocket({
      url: url.href,
      WebSocketCtor: WebSocket,
      openObserver: {
        next: () => {
          this.opened += 1;
          print({ event: 'open', connection: this.opened });
          if (options.mode === 'next') channels.forEach((channel) => this.socket$.next(subscribeTo(channel)));
        },
      },
      closeObserver: { next: ({ code, reason }) => print({ event: 'closed', code, reason }) },
    });
  }

  frames$() {
    const once$ = defer(() => {
      // Queued by the subject until the socket is open, ahead of every subscribe.
      if (options.auth === 'message') this.socket$.next({ type: 'auth', token: options.token });
      if (options.mode === 'next') return this.socket$;
      return merge(...channels.map((channel) => this.socket$.multiplex(
        () => subscribeTo(channel),
        () => unsubscribeFrom(channel),
        (frame) => frame.type !== 'stats' || `estadisticas:${frame.data.negocio_id}` === channel,
      )));
    });
    return once$.pipe(
      // A lost line is an error of the subject, a clean close (1001 at a restart) its completion: come back from both.
      retry({
        delay: (error, attempt) => (error instanceof SyntaxError ? throwError(() => error) : backoff(attempt)),
        resetOnSuccess: true,
      }),
      repeat({ delay: () => backoff(1) }),
    );
  }
}

const service = new EstadisticasService();
let stats = 0;
service.frames$().pipe(
  tap((frame) => {
    if (frame.type !== 'stats') print({ event: 'frame', frame });
  }),
  filter((frame) => frame.type === 'stats'),
  map((frame) => frame.data),
).subscribe({
  next: (data) => {
    stats += 1;
    print({ event: 'stats', connection: service.opened, data });
    const met = expected !== null && Object.entries(expected).every(([key, value]) => data[key] === value);
    if (met || (wanted !== null && stats >= wanted)) end(0, { event: 'done', stats, connections: service.opened });
  },
  error: (error) => fail(`the stream ended: ${error.message ?? error}`),
  complete: () => fail('the stream completed'),
});
setTimeout(() => fail(`condition not met in ${options['timeout-ms']} ms; stats ${stats}`), Number(options['timeout-ms']));
