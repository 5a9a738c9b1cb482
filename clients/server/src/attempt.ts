/**
 * Sends a call once.
 *
 * Must not know whether it is sent again.
 */

import type { Outcome } from './retry.js';

export interface Target {
  /** Without a slash at its end. */
  base: string;
  key: string | null;
  timeout: number;
}

export interface Sent {
  path: string;
  body: string;
  idempotencyKey: string | undefined;
}

export async function send(target: Target, sent: Sent): Promise<Outcome> {
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' };
  if (target.key !== null) headers['authorization'] = `Bearer ${target.key}`;
  if (sent.idempotencyKey !== undefined) headers['idempotency-key'] = sent.idempotencyKey;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), target.timeout);
  try {
    // A redirection would carry the key to wherever it leads.
    const request = { method: 'POST', headers, body: sent.body, signal: late.signal, redirect: 'manual' } as const;
    const response = await fetch(target.base + sent.path, request);
    return { status: response.status, body: await response.text(), retryAfter: response.headers.get('retry-after') };
  } catch (cause) {
    return { status: null, why: late.signal.aborted ? `no answer within ${target.timeout} ms` : reason(cause) };
  } finally {
    clearTimeout(timer);
  }
}

/** The system's own word, such as `ECONNREFUSED`: a message could hold more than may be told. */
function reason(failure: unknown): string {
  const cause = failure instanceof Error ? (failure.cause ?? failure) : failure;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(code) ? `no answer (${code})` : 'no answer';
}
