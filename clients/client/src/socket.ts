// Owns a WebSocket as a line: what is open, what came, why it ended, each said once. Must not know what is said on it.

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

/** What is told of a line, for as long as it is not closed. */
export interface Told {
  opened(): void;
  frame(text: string): void;
  /** By a close with `code`, or in place of a line an HTTP answer with `status`. */
  closed(code: number, reason: string, details?: Closed): void;
}

export function socket(address: string, WebSocket: new (address: string) => WebSocket, clock: Clock, told: Told): Line {
  let isOver = false;
  /** What waits for its turn, and up to when what was said is paid for, at a message every so often. */
  const waiting: object[] = [];
  let paid = 0;
  let timer: unknown;
  const web = new WebSocket(address);
  const end = (code: number, reason: string, details?: Closed) => {
    if (isOver) return;
    isOver = true;
    told.closed(code, reason, details);
  };
  web.onopen = () => isOver || told.opened();
  web.onmessage = ({ data }) => isOver || told.frame(data);
  web.onclose = ({ code, reason }) => end(code, reason);
  // Where a handshake fails some say only this; where it says the status, that counts.
  web.onerror = (event) => {
    const said = (event as { message?: string }).message ?? '';
    const status = Number(/response: (\d+)/.exec(said)?.[1]);
    if (web.readyState !== 1) end(1006, said, { status: status || undefined });
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
      isOver = true;
      clock.clearTimeout(timer);
      // Before it is open some report a close as an error.
      web.close(1000);
    },
  };
}
