// Owns a WebSocket as a line: what is open, what came, why it ended, each said once. Must not know what is said on it.

import type { Closed } from './endings.js';

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

export function socket(address: string, WebSocket: new (address: string) => WebSocket, told: Told): Line {
  let isOver = false;
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
  return {
    send(frame) {
      if (web.readyState === 1) web.send(JSON.stringify(frame));
    },
    close() {
      isOver = true;
      // Before it is open some report a close as an error.
      web.close(1000);
    },
  };
}
