/**
 * What an answer means for its call, and how long to wait before it is sent again. Pure.
 *
 * Must not know how calls are sent or kept.
 */

/** What came of sending a call once. */
export type Outcome =
  | { status: number; body: string; retryAfter: string | null }
  /** There was no answer, and why. */
  | { status: null; why: string };

export type Verdict = 'done' | 'repeat' | 'refused';

const REPEATED: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** What is to be done about a call. After a 500 for a hint Pulso itself repeats. */
export function judge(outcome: Outcome, isHint: boolean): Verdict {
  const { status } = outcome;
  if (status === null) return 'repeat';
  if (status >= 200 && status < 300) return 'done';
  if (status === 500 && isHint) return 'done';
  return REPEATED.has(status) ? 'repeat' : 'refused';
}

const SHORTEST_MS = 200;
const LONGEST_MS = 5_000;

/** How long to wait after so many attempts: between half and all of what doubles. */
export function backoff(attempts: number, longest = LONGEST_MS, random = Math.random): number {
  const whole = Math.min(longest, SHORTEST_MS * 2 ** (attempts - 1));
  return whole * (0.5 + random() / 2);
}

/** What `Retry-After` asks for, in milliseconds: seconds or a date. */
export function asked(retryAfter: string | null, now: number): number | null {
  if (retryAfter === null) return null;
  const text = retryAfter.trim();
  if (/^[0-9]+$/.test(text)) return Number(text) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
