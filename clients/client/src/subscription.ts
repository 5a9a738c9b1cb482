// Owns one holder of a channel, as an application has it: listeners, the latest value, iteration. Must not know the line.

import type { Entry, Holder } from './channels.js';
import { PulsoError } from './errors.js';
import { listeners, type Report } from './listeners.js';
import type { Observer, Subscription } from './types.js';

/** What a loop over events may leave waiting before it is told that it is too slow. */
const MOST_WAITING = 10_000;

export function subscription<T>(entry: Entry, report: Report, left: () => void): Subscription<T> {
  const heard = listeners(report);
  let isClosed = false;

  const holder: Holder = (event, value) => {
    heard.emit(event, value);
    if (event === 'state' && value === 'closed') end();
  };
  entry.holders.add(holder);

  function end() {
    isClosed = true;
    heard.emit('end', null);
    heard.clear();
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
    on: heard.on,
    subscribe(observer: Partial<Observer<T>> | ((value: T) => void)) {
      const to: Partial<Observer<T>> = typeof observer === 'function' ? { next: observer } : observer;
      const one = listeners(report);
      one.on('value', (value) => to.next?.(value));
      one.on('end', () => to.complete?.());
      one.on('state', (state) => {
        if (state !== 'refused') return;
        unsubscribe();
        to.error?.(entry.error!);
      });
      const off = ['value', 'state', 'end'].map((event) => heard.on(event, (value) => one.emit(event, value)));
      const unsubscribe = () => off.forEach((act) => act());
      if (isClosed) one.emit('end', null);
      else if (entry.state === 'refused') one.emit('state', 'refused');
      else if (self.latest !== undefined) one.emit('value', self.latest);
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
    async *[Symbol.asyncIterator]() {
      const isOfStates = /^(estadisticas|consulta):/.test(entry.name);
      let waiting: T[] = [];
      let end: { why?: PulsoError } | undefined;
      let wake = () => {};
      const stop = (why?: PulsoError) => {
        end = why ? { why } : {};
        wake();
      };
      const taken = self.subscribe({
        next(value) {
          if (isOfStates) waiting = [];
          if (waiting.push(value) > MOST_WAITING) {
            taken.unsubscribe();
            stop(new PulsoError('aborted', `${MOST_WAITING} events wait`, { channel: entry.channel }));
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
    },
  };
  // RxJS and others take it for an observable by this.
  (self as any)[(Symbol as any).observable ?? '@@observable'] = () => self;
  return self;
}
