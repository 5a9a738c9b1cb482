// What a machine is given: what it may want done, and how it is to go about it.

import type { Out } from './channels.js';
import type { TokenContext, Transport } from './types.js';

export type Timer = 'retry' | 'answer' | 'beat' | 'renew' | 'token' | 'linger' | 'settle';

export interface Io extends Pick<Out, 'emit' | 'now' | 'save'> {
  random(): number;
  /** Opens a line; the one before has been dropped. */
  open(transport: Transport, since: string): void;
  drop(): void;
  send(frame: object): void;
  /** `null` stops it. */
  timer(name: Timer, ms: number | null): void;
  /** Asks for a token, of whom nobody is asked just now. */
  ask(reason: TokenContext['reason'], previous: string | null): void;
  unask(): void;
}

export interface MachineOptions {
  min: number;
  max: number;
  pingEvery?: number | undefined;
  answerWithin?: number | undefined;
  linger: number;
  transports: Transport[];
  token?: string | null | undefined;
  /** Whether tokens can be asked for. */
  asks: boolean;
  /** A kiosk, which needs no token and is never told to stop. */
  device?: boolean;
}
