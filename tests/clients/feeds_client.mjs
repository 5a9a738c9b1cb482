// A till's screen on RxJS `webSocket`: hears the sales of its business, pings, comes back by itself and asks for what it
// missed since the last event it has.
//
//   node feeds_client.mjs --url 'ws://127.0.0.1:8080/ws' --token JWT [--auth query|message] [--since] [--ping-ms 30000]
//     [--retry-ms 5000] [--until '{"saleId":5}'] [--timeout-ms 20000]
//
// Lines: {"event":"open"|"newSale"|"updateProduct"|"updatePromotion"|"updateTable"|"resync"|"pong"|"error"|"closed"|
// "done", …}. RxJS ends the stream on a frame that is not JSON; that is a failure here, as it would be on the screen.

import { parseArgs } from 'node:util';
import { defer, interval, merge, Subject, timer } from 'rxjs';
import { ignoreElements, repeat, retry, takeUntil, tap } from 'rxjs/operators';
import { webSocket } from 'rxjs/webSocket';
import WebSocket from 'ws';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string', default: process.env.TOKEN ?? '' },
    auth: { type: 'string', default: 'query' },
    since: { type: 'boolean', default: false },
    'ping-ms': { type: 'string', default: '30000' },
    'retry-ms': { type: 'string', default: '5000' },
    until: { type: 'string' },
    'timeout-ms': { type: 'string', default: '20000' },
  },
});

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
function end(code, line) {
  process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(code));
}
const fail = (reason) => end(1, { event: 'failed', reason });
if (!options.url) fail('--url is required');

const expected = options.until === undefined ? null : JSON.parse(options.until);
const meets = (data) => expected !== null
  && Object.entries(expected).every(([key, value]) => data?.[key] === value);
setTimeout(() => fail(`condition not met in ${options['timeout-ms']} ms`), Number(options['timeout-ms']));

let last = '';
let connection = 0;

const screen$ = defer(() => {
  const url = new URL(options.url);
  if (options.auth === 'query') url.searchParams.set('token', options.token);
  if (options.since) url.searchParams.set('since', last);
  const closed$ = new Subject();
  const socket$ = webSocket({
    url: url.href,
    WebSocketCtor: WebSocket,
    openObserver: {
      next: () => {
        connection += 1;
        print({ event: 'open', connection });
      },
    },
    closeObserver: {
      next: ({ code, reason }) => {
        closed$.next();
        print({ event: 'closed', code, reason });
      },
    },
  });
  if (options.auth === 'message') socket$.next({ type: 'auth', token: options.token });
  const pings$ = interval(Number(options['ping-ms'])).pipe(
    takeUntil(closed$),
    tap(() => socket$.next({ type: 'ping' })),
    ignoreElements(),
  );
  return merge(socket$, pings$);
}).pipe(
  repeat({ delay: () => timer(Number(options['retry-ms'])) }),
  retry({
    delay: (error) => {
      // What is not JSON is an error of the stream, unlike a connection that ended.
      if (error instanceof SyntaxError) fail(`a frame is not JSON: ${error.message}`);
      return timer(Number(options['retry-ms']));
    },
  }),
);

screen$.subscribe({
  next: (message) => {
    if (message.id !== undefined) last = message.id;
    print({ event: message.type, connection, frame: message });
    if (meets(message.data)) end(0, { event: 'done', connection });
  },
  error: (error) => fail(String(error)),
});
