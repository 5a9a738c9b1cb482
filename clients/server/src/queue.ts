/**
 * Keeps calls until they are carried out: repeats them, one after the other where their order counts.
 *
 * Must not know what the calls are, nor how one is sent.
 */

import { PulsoServerError } from './error.js';
import { Lanes } from './lanes.js';
import { asked, backoff, judge, type Outcome } from './retry.js';
import { spoken } from './spoken.js';

export interface Job {
  /** The method's name. */
  readonly call: string;
  readonly path: string;
  body: string;
  /** Whom it must not overtake. */
  readonly lanes: readonly string[];
  readonly isHint: boolean;
  /** Takes the place of one of its lane that waits. */
  readonly isMerged: boolean;
  readonly idempotencyKey: string | undefined;
  readonly settle: (end: { answer: string } | { error: PulsoServerError }) => void;
}

export interface Bounds {
  /** How long a call is repeated, in milliseconds. */
  retryFor: number;
  maxQueued: number;
}

interface Waiting extends Job {
  deadline: number;
  attempts: number;
  isUnderWay: boolean;
  /** Ends its pause, where nobody asked for that. */
  wake: (() => void) | undefined;
  last: Outcome | undefined;
}

/** Calls sent at a time; each has a connection. */
const AT_ONCE = 32;
/** The longest pause while somebody waits for the end. */
const FLUSHING_MS = 500;

export class Queue {
  readonly #pending = new Set<Waiting>();
  readonly #lanes = new Lanes<Waiting>();
  readonly #forPlaces: (() => void)[] = [];
  #places = AT_ONCE;
  #flushing = 0;
  /** Whether the last call was accepted or refused, rather than not answered. */
  #isHeard = true;
  readonly #whenEmpty = new Set<() => void>();

  constructor(
    private readonly send: (job: Job) => Promise<Outcome>,
    private readonly bounds: Bounds,
    private readonly key: string | null,
  ) {}

  add(job: Job): void {
    const deadline = performance.now() + this.bounds.retryFor;
    const lane = job.lanes[0];
    const last = job.isMerged && lane !== undefined ? this.#lanes.last(lane) : undefined;
    if (last !== undefined && !last.isUnderWay) {
      last.body = job.body;
      last.deadline = deadline;
      return;
    }
    if (this.#pending.size >= this.bounds.maxQueued) {
      const says = `${this.bounds.maxQueued} calls wait already`;
      job.settle({ error: new PulsoServerError({ code: 'queue_full', call: job.call, says }) });
      return;
    }
    const waiting: Waiting = { ...job, deadline, attempts: 0, isUnderWay: false, wake: undefined, last: undefined };
    this.#pending.add(waiting);
    this.#lanes.enter(waiting);
    if (this.#lanes.isNext(waiting)) void this.#run(waiting);
  }

  /** Waits until nothing is left, `timeout` milliseconds at most; gives how many calls are left. */
  async flush(timeout: number): Promise<number> {
    if (this.#pending.size === 0) return 0;
    this.#flushing += 1;
    for (const waiting of this.#pending) waiting.wake?.();
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#whenEmpty.delete(end);
        resolve();
      };
      const timer = setTimeout(end, timeout);
      this.#whenEmpty.add(end);
    });
    this.#flushing -= 1;
    return this.#pending.size;
  }

  async #run(job: Waiting): Promise<void> {
    for (;;) {
      // Who waited behind others until its time was over is tried once, unless that is in vain.
      if (job.attempts === 0 && performance.now() >= job.deadline && !this.#isHeard) return this.#giveUp(job);
      const outcome = await this.#attempt(job);
      const verdict = judge(outcome, job.isHint);
      this.#isHeard = verdict !== 'repeat';
      if (outcome.status !== null && verdict === 'done') return this.#end(job, { answer: outcome.body });
      if (outcome.status !== null && verdict === 'refused') return this.#end(job, { error: refused(job, outcome, this.key) });
      const lane = job.lanes[0];
      const newer = job.isMerged && lane !== undefined ? this.#lanes.behind(job, lane) : undefined;
      if (newer !== undefined) {
        // What this one said is said by the other, which goes on where it was.
        newer.attempts = job.attempts;
        newer.last = outcome;
        this.#leave(job);
        return;
      }
      const pause = asked(outcome.status === null ? null : outcome.retryAfter, Date.now());
      const left = job.deadline - performance.now();
      if (left <= 0 || (pause !== null && pause > left)) return this.#giveUp(job);
      const longest = this.#flushing > 0 ? FLUSHING_MS : undefined;
      await rest(job, Math.min(left, Math.max(pause ?? 0, backoff(job.attempts, longest))), pause === null);
    }
  }

  async #attempt(job: Waiting): Promise<Outcome> {
    if (this.#places > 0) this.#places -= 1;
    else await new Promise<void>((resolve) => this.#forPlaces.push(resolve));
    job.isUnderWay = true;
    job.attempts += 1;
    const outcome = await this.send(job);
    job.isUnderWay = false;
    job.last = outcome;
    const next = this.#forPlaces.shift();
    if (next === undefined) this.#places += 1;
    else next();
    return outcome;
  }

  #giveUp(job: Waiting): void {
    const { call, last, attempts } = job;
    const tried = `given up after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
    if (last === undefined || last.status === null) {
      const says = `${tried}: ${last === undefined ? 'calls before it were not answered' : last.why}`;
      this.#end(job, { error: new PulsoServerError({ code: 'unavailable', call, says, attempts }) });
      return;
    }
    const { status } = last;
    const { word, says } = spoken(last.body, job.body, this.key);
    const error = new PulsoServerError({ code: 'unavailable', call, says: `${tried}: ${status}${says}`, status, word, attempts });
    this.#end(job, { error });
  }

  #end(job: Waiting, end: Parameters<Job['settle']>[0]): void {
    // The next one goes first: whoever is told may hand in more.
    this.#leave(job);
    job.settle(end);
  }

  #leave(job: Waiting): void {
    this.#pending.delete(job);
    for (const next of this.#lanes.leave(job)) void this.#run(next);
    if (this.#pending.size === 0) for (const told of [...this.#whenEmpty]) told();
  }
}

function rest(job: Waiting, milliseconds: number, canBeWoken: boolean): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      job.wake = undefined;
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    if (canBeWoken) job.wake = end;
  });
}

function refused(job: Waiting, outcome: Outcome & { status: number }, key: string | null): PulsoServerError {
  const { status } = outcome;
  const { word, says } = spoken(outcome.body, job.body, key);
  return new PulsoServerError({ code: 'refused', call: job.call, says: `${status}${says}`, status, word, attempts: job.attempts });
}
