// Owns one holder of a channel, as an application has it: listeners, the latest value, iteration. Must not know the line.

import type { Entry, Holder } from './channels.js';
import { PulsoError } from './errors.js';
import type { Observer, Subscription, SubscriptionEvents } from './types.js';

/** What a loop over events may leave waiting before it is told that it is too slow. */
const MOST_WAITING = 10_000;

export function subscription<T>(entry: Entry, safely: (act: () => void) => void, left: () => void): Subscription<T> {
  const listeners = new Map<string, Set<(value: any) => void>>();
  const ends = new Set<() => void>();
  let isClosed = false;

  const holder: Holder = (event, value) => {
    const round = [...listeners.get(event) ?? []];
    for (const listener of round) safely(() => listener(value));
    if (event === 'state' && value === 'closed') end();
  };
  entry.holders.add(holder);

  function end() {
    isClosed = true;
    for (const act of [...ends]) safely(act);
    ends.clear();
    listeners.clear();
  }

  const self: Subscription<T> = {
    get channel() {
      return entry.channel;
    },
    get state() {
      return isClosed ? 'closed' : entry.state;
    },
    get latest() {
      return isClosed ? undefined : entry.latest as T | undefined;
    },
    get updatedAt() {
      return isClosed ? null : entry.at;
    },
    get error() {
      return entry.error;
    },
    on<E extends keyof SubscriptionEvents<T>>(event: E, listener: (value: SubscriptionEvents<T>[E]) => void) {
      if (isClosed) return () => {};
      // The same listener twice is two.
      const mine = (value: SubscriptionEvents<T>[E]) => listener(value);
      const all = listeners.get(event) ?? new Set();
      listeners.set(event, all.add(mine));
      return () => void all.delete(mine);
    },
    subscribe(observer: Partial<Observer<T>> | ((value: T) => void)) {
      const to: Partial<Observer<T>> = typeof observer === 'function' ? { next: observer } : observer;
      const complete = () => to.complete?.();
      const off = [
        self.on('value', (value) => to.next?.(value)),
        self.on('state', (state) => {
          if (state !== 'refused') return;
          unsubscribe();
          to.error?.(entry.error!);
        }),
        () => ends.delete(complete),
      ];
      const unsubscribe = () => off.forEach((act) => act());
      if (isClosed) complete();
      else {
        ends.add(complete);
        if (entry.state === 'refused') {
          unsubscribe();
          to.error?.(entry.error!);
        } else if (self.latest !== undefined) safely(() => to.next?.(self.latest!));
      }
      return { unsubscribe };
    },
    close() {
      if (isClosed) return;
      entry.holders.delete(holder);
      end();
      left();
    },
    [Symbol.dispose]() {
      self.close();
    },
    [Symbol.asyncIterator]() {
      const isOfStates = /^(estadisticas|consulta):/.test(entry.name);
      let waiting: T[] = [];
      let failed: PulsoError | null = null;
      let isOver = false;
      let wake = () => {};
      const stop = (why: PulsoError | null = null) => {
        failed = why;
        isOver = true;
        wake();
      };
      const taken = self.subscribe({
        next(value) {
          if (isOfStates) waiting = [value];
          else if (waiting.push(value) > MOST_WAITING) {
            taken.unsubscribe();
            stop(new PulsoError('aborted', `${MOST_WAITING} events wait for their reader`, { channel: entry.channel }));
          }
          wake();
        },
        error: stop,
        complete: () => stop(),
      });
      return {
        async next(): Promise<IteratorResult<T>> {
          while (!waiting.length && !isOver) await new Promise<void>((done) => wake = done);
          if (waiting.length) return { done: false, value: waiting.shift()! };
          if (failed) {
            const why = failed;
            failed = null;
            throw why;
          }
          return { done: true, value: undefined };
        },
        async return(): Promise<IteratorResult<T>> {
          taken.unsubscribe();
          stop();
          waiting = [];
          return { done: true, value: undefined };
        },
      };
    },
  };
  // RxJS and others take it for an observable by this.
  (self as any)[(Symbol as any).observable ?? '@@observable'] = () => self;
  return self;
}
