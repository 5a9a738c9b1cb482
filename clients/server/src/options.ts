/**
 * What a `PulsoServer` is made with, looked at once.
 *
 * Must not know what is done with it.
 */

import type { PulsoServerError } from './error.js';

export interface PulsoServerOptions {
  /** Where Pulso is, such as `http://localhost:8080`; a path is a prefix. */
  url: string | URL;
  /** `NOTIFY_API_KEY` of Pulso; `null` where it has none, and only hints are taken. */
  key: string | null;
  /** How long an answer is waited for, in milliseconds: 5,000. */
  timeout?: number;
  /** How long a call is repeated, in milliseconds: 60,000. */
  retryFor?: number;
  /** How many calls may wait: 1,000. */
  maxQueued?: number;
  /** The longest call, in bytes: 16,384, as Pulso's `HOOK_MAX_BODY_BYTES`. */
  maxBytes?: number;
  /** Hears of every call that was not carried out. Without it they go to `console.error`. */
  onError?: (error: PulsoServerError) => void;
}

export interface Settings {
  /** Without a slash at its end. */
  base: string;
  key: string | null;
  timeout: number;
  retryFor: number;
  maxQueued: number;
  maxBytes: number;
  onError: (error: PulsoServerError) => void;
}

export function settings(options: PulsoServerOptions): Settings {
  const { onError = (error) => console.error(`pulso: ${error.message}`) } = options;
  if (typeof onError !== 'function') throw new TypeError('onError must be a function');
  return {
    base: base(options.url),
    key: key(options.key),
    timeout: positive('timeout', options.timeout ?? 5_000),
    retryFor: positive('retryFor', options.retryFor ?? 60_000, 0),
    maxQueued: positive('maxQueued', options.maxQueued ?? 1_000),
    maxBytes: positive('maxBytes', options.maxBytes ?? 16_384),
    onError,
  };
}

function base(given: string | URL): string {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new TypeError('url must begin with http:// or https://');
  if (url.username !== '' || url.password !== '') throw new TypeError('url must not hold a name or a password: the key has its own option');
  if (url.search !== '' || url.hash !== '') throw new TypeError('url must end with its path');
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function key(given: string | null): string | null {
  if (given === null) return null;
  if (typeof given !== 'string' || given.trim() === '') {
    throw new TypeError('key must be what Pulso has as NOTIFY_API_KEY, or null where it has none');
  }
  if (!PRINTABLE.test(given)) throw new TypeError('key must be of printable characters, without a line break or a blank at its ends');
  return given;
}

/** What fits in a header as it is. */
export const PRINTABLE = /^[!-~]([ -~]*[!-~])?$/;

/** The longest time a timer of Node.js can wait. */
const LONGEST = 2 ** 31 - 1;

function positive(name: string, value: number, least = 1): number {
  if (!Number.isSafeInteger(value) || value < least || value > LONGEST) {
    throw new TypeError(`${name} must be a whole number from ${least} to ${LONGEST}`);
  }
  return value;
}
