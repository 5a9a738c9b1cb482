// Owns a WebSocket as a line: what is open, what came, why it ended. Must not know what is said on it, nor who still listens.

import type { Closed } from './endings.js';
import type { Clock } from './types.js';

/** What a server takes from one line at once, and how often from then on: less than it allows unless told otherwise. */
const AT_ONCE = 150;
const EVERY_MS = 60;

/** A line, whatever carries it. */
export interface Line {
  send(frame: object): void;
  close(): void;
}

/** What is told of a line; of one that is closed, or of whose end was told, it is passed over. */
export interface Told {
  opened(): void;
  frame(text: string): void;
  /** By a close with `code`, or in place of a line an HTTP answer with `status`. */
  closed(code: number, reason: string, details?: Closed): void;
}

export function socket(address: string, WebSocket: new (address: string) => WebSocket, clock: Clock, told: Told): Line {
  /** What waits for its turn, and up to when what was said is paid for, at a message every so often. */
  const waiting: object[] = [];
  let paid = 0;
  let timer: unknown;
  const web = new WebSocket(address);
  web.onopen = told.opened;
  web.onmessage = ({ data }) => told.frame(data);
  web.onclose = ({ code, reason }) => told.closed(code, reason);
  // Where a handshake fails some say only this; where it says the status, that counts.
  web.onerror = (event) => {
    const said = (event as { message?: string }).message ?? '';
    const status = Number(/response: (\d+)/.exec(said)?.[1]);
    if (web.readyState !== 1) told.closed(1006, said, { status: status || undefined });
  };
  const say = (frame: object) => {
    if (web.readyState === 1) web.send(JSON.stringify(frame));
  };
  function next() {
    const now = clock.now();
    for (; waiting.length && paid < now + AT_ONCE * EVERY_MS; paid = Math.max(paid, now) + EVERY_MS) say(waiting.shift()!);
    if (waiting.length) timer = clock.setTimeout(next, EVERY_MS);
  }
  return {
    send(frame) {
      // What keeps the line goes first; there is room for it.
      if (!('channel' in frame)) return say(frame);
      if (waiting.push(frame) === 1) next();
    },
    close() {
      clock.clearTimeout(timer);
      // Before it is open some report a close as an error.
      web.close(1000);
    },
  };
}
