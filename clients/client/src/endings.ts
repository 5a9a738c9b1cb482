// Owns what the end of a line means, by its close code or by the HTTP answer in place of one. Must not know what is done about it.

import type { Frame } from './channels.js';
import type { PulsoErrorCode, PulsoErrorDetails } from './errors.js';

const MINUTE_MS = 60_000;
/** How a node that goes spreads its clients, where it does not say so. */
const SPREAD_MS = 5_000;
/** The close code that means what an HTTP status does. */
const BY_STATUS: Record<number, number> = { 400: 1002, 401: 4001, 403: 4003, 404: 1002, 405: 1002 };

export interface Ending {
  /** The close code. */
  code: number;
  name: PulsoErrorCode;
  /** Comes again, with another token, as another user, or never. */
  then: 'again' | 'token' | 'user' | 'stop';
  wait?: number | undefined;
}
export type Closed = PulsoErrorDetails & { after?: number | undefined };

export function ending(closed: number, said: string, { status, after }: Closed, closing: Frame | null, isDevice: boolean, random: () => number): Ending {
  const code = BY_STATUS[status!] ?? closed;
  if (isDevice && (code === 4001 || (code === 1013 && said.includes('unknown')))) return { code, name: 'forbidden', then: 'again', wait: MINUTE_MS };
  if (code === 4003) return { code, name: said === 'origin' ? said : 'forbidden', then: 'stop' };
  if (code === 4001 && said.includes('another user')) return { code, name: 'bad_token', then: 'user', wait: 0 };
  if (code === 4001 && !/time-?out/.test(said)) return { code, name: said.includes('expired') ? 'expired_token' : 'bad_token', then: 'token' };
  if (code === 1002 || code === 1007 || code === 1009 || (code !== 4001 && closing?.again === false)) return { code, name: 'protocol', then: 'stop' };
  return { code, name: 'network', then: 'again', wait: after ?? (code === 1001 && !closing ? random() * SPREAD_MS : undefined) };
}
