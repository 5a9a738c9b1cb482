// Owns one holder of a channel, as an application has it: listeners, the latest value, iteration. Must not know the line.

import { type Entry, type Holder, isOfStates } from './channels.js';
import { PulsoError } from './errors.js';
import { listeners, type Report } from './listeners.js';
import type { Observer, Subscription, SubscriptionEvents, SubscriptionState } from './types.js';

/** What a loop over events may leave waiting before it is told that it is too slow. */
const MOST_WAITING = 10_000;

/** A class, for a page may have hundreds: what they do is there once. */
export class Held<T> implements Subscription<T> {
  readonly #entry: Entry;
  readonly #left: () => void;
  readonly #heard;
  readonly #holder: Holder;
  #isClosed = false;

  constructor(entry: Entry, report: Report, left: () => void) {
    this.#entry = entry;
    this.#left = left;
    this.#heard = listeners(report);
    this.#holder = (event, value) => {
      this.#heard.emit(event, value);
      if (value === 'closed') this.close();
    };
    entry.holders.add(this.#holder);
  }

  get channel() {
    return this.#entry.channel;
  }

  get state() {
    return this.#isClosed ? 'closed' : this.#entry.state;
  }

  get latest() {
    return this.#isClosed ? undefined : this.#entry.latest as T | undefined;
  }

  get updatedAt() {
    return this.#isClosed ? null : this.#entry.at;
  }

  get error() {
    return this.#entry.error;
  }

  on<E extends keyof SubscriptionEvents<T>>(event: E, listener: (value: SubscriptionEvents<T>[E]) => void) {
    return this.#heard.on(event, listener);
  }

  subscribe(observer: Partial<Observer<T>> | ((value: T) => void)) {
    const to: Partial<Observer<T>> = typeof observer === 'function' ? { next: observer } : observer;
    const heard = this.#heard;
    const next = (value: T) => to.next?.(value);
    const end = () => to.complete?.();
    const look = (state: SubscriptionState) => {
      if (state !== 'refused') return;
      unsubscribe();
      to.error?.(this.error!);
    };
    const off = [heard.on('value', next), heard.on('end', end), heard.on('state', look)];
    const unsubscribe = () => off.forEach((act) => act());
    const { latest } = this;
    if (this.#isClosed) heard.call(end, undefined);
    else if (latest !== undefined) heard.call(next, latest);
    else heard.call(look, this.state);
    return { unsubscribe };
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#entry.holders.delete(this.#holder);
    this.#heard.emit('end', null);
    this.#heard.clear();
    this.#left();
  }

  [Symbol.dispose]() {
    this.close();
  }

  async *[Symbol.asyncIterator]() {
    const { channel } = this;
    let waiting: T[] = [];
    let end: { why?: PulsoError } | undefined;
    let wake = () => {};
    const stop = (why?: PulsoError) => {
      end = why ? { why } : {};
      wake();
    };
    const taken = this.subscribe({
      next(value) {
        if (isOfStates(channel)) waiting = [];
        if (waiting.push(value) > MOST_WAITING) {
          taken.unsubscribe();
          stop(new PulsoError('aborted', `${MOST_WAITING} events wait`, { channel }));
        }
        wake();
      },
      error: stop,
      complete: stop,
    });
    try {
      for (;;) {
        if (waiting.length) yield waiting.shift()!;
        else if (end?.why) throw end.why;
        else if (end) return;
        else await new Promise<void>((done) => wake = done);
      }
    } finally {
      taken.unsubscribe();
    }
  }

  /** RxJS and others take it for an observable by this. */
  [(Symbol as any).observable ?? '@@observable']() {
    return this;
  }
}
