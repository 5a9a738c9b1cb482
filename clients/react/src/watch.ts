// Owns what is shown of one subscription: opened by the first holder, closed behind the last. Knows no React.

import type { PulsoError, Subscription, SubscriptionState } from '@pulso/client';

/** `idle`: nothing is asked for, because the id is `null`. */
export type LiveState = SubscriptionState | 'idle';

interface Shown {
  readonly state: LiveState;
  /** The line is away: what is shown was true a moment ago. */
  readonly stale: boolean;
  /** Why it was refused, or what troubles it. */
  readonly error: PulsoError | null;
}

/** A state, as it is now. */
export interface Live<T> extends Shown {
  /** Undefined before the first value, and once access is gone. */
  readonly value: T | undefined;
  /** When `value` came (`Date.now()`). */
  readonly updatedAt: number | null;
}

/** The latest events of a channel. */
export interface LiveList<T> extends Shown {
  /** Oldest first. */
  readonly events: readonly T[];
  /** How often events were missed that could not be had any more: then what they change must be loaded afresh. */
  readonly gaps: number;
  /** Forgets the events that are shown. */
  clear(): void;
}

export interface Listening<T> {
  /** How many events are kept to be shown; 100. */
  keep?: number | undefined;
  /** Called once for each event, outside of rendering. */
  onEvent?: ((event: T) => void) | undefined;
}

/** What a hook shows; `Live` and `LiveList` are what is said of it. */
export type Snapshot<T> = Live<T> & LiveList<T>;

const NOTHING = { stale: false, error: null, updatedAt: null, events: [], gaps: 0, clear() {} };
export const IDLE = { ...NOTHING, state: 'idle' } as unknown as Snapshot<never>;
export const PENDING = { ...NOTHING, state: 'pending' } as unknown as Snapshot<never>;

/** Begins a subscription; what else must be done at its end goes into `ends`. */
export type Open<T> = (ends: (() => void)[]) => Subscription<T>;

export interface Watch<T> {
  shown: Snapshot<T>;
  hold(redraw: () => void): () => void;
}

/** Watches what `open` opens while somebody holds it; `listening` is read at each event, and is absent for a state. */
export function watch<T>(open: Open<T>, over: () => void, listening: { readonly current: Listening<T> | undefined } | undefined): Watch<T> {
  const redraws = new Set<() => void>();
  const ends: (() => void)[] = [];

  const show = (more: Partial<Snapshot<T>>) => {
    self.shown = { ...self.shown, ...more };
    redraws.forEach((redraw) => redraw());
  };

  const leave = () => ends.splice(0).forEach((end) => end());

  const begin = () => {
    const source = open(ends);
    const copy = () => {
      const { state, error, latest, updatedAt } = source;
      // Somebody has signed out: whoever still shows it asks for the next user's.
      if (state === 'closed') {
        setTimeout(() => {
          leave();
          if (redraws.size) begin();
        });
      }
      show({ state, stale: state === 'stale', error, value: latest, updatedAt, clear: () => show({ events: [] }) });
    };
    ends.push(
      source.on('state', copy),
      source.on('error', copy),
      source.on('resync', () => show({ gaps: self.shown.gaps + 1 })),
      source.on('value', (value) => {
        if (!listening) return copy();
        const { keep = 100, onEvent } = listening.current!;
        show({ events: keep ? [...self.shown.events, value].slice(-keep) : [] });
        onEvent?.(value);
      }),
      () => source.close(),
    );
    copy();
  };

  const self: Watch<T> = {
    shown: PENDING,
    hold(redraw) {
      redraws.add(redraw);
      if (!ends.length) begin();
      return () => {
        redraws.delete(redraw);
        // A moment later: StrictMode, a Fast Refresh and a component that moves leave and come back at once.
        setTimeout(() => {
          if (redraws.size || !ends.length) return;
          leave();
          over();
        });
      };
    },
  };
  return self;
}
