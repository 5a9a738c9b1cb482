// Owns what the end of a line means, by its close code or by the HTTP answer in place of one. Must not know what is done about it.

import type { Frame } from './channels.js';
import type { PulsoErrorCode, PulsoErrorDetails } from './errors.js';

const MINUTE_MS = 60_000;
/** How a node that goes spreads its clients, where it does not say so. */
const SPREAD_MS = 5_000;
/** The close code that means what an HTTP status does. */
const BY_STATUS: Record<number, number> = { 400: 1002, 401: 4001, 403: 4003, 404: 1002, 405: 1002 };

/** Comes again after so many milliseconds, if it is known, with another token, as another user, or never. */
export type Ending = [then: 'again' | 'token' | 'user' | 'stop', name: PulsoErrorCode, wait?: number | undefined];
export type Closed = PulsoErrorDetails & { after?: number | undefined };

/** The close code, or what is one to an HTTP status. */
export const codeOf = (closed: number, status: number | undefined) => BY_STATUS[status!] ?? closed;

export function ending(code: number, said: string, after: number | undefined, closing: Frame | null, isDevice: boolean, random: () => number): Ending {
  if (isDevice && (code === 4001 || (code === 1013 && said.includes('unknown')))) return ['again', 'forbidden', MINUTE_MS];
  if (code === 4003) return ['stop', said === 'origin' ? said : 'forbidden'];
  if (code === 4001 && said.includes('another user')) return ['user', 'bad_token', 0];
  if (code === 4001 && !/time-?out/.test(said)) return ['token', said.includes('expired') ? 'expired_token' : 'bad_token'];
  if ([1002, 1007, 1009].includes(code) || (code !== 4001 && closing?.again === false)) return ['stop', 'protocol'];
  return ['again', 'network', after ?? (code === 1001 && !closing ? random() * SPREAD_MS : undefined)];
}
