// Owns what is shown of a subscription, as signals: opened for the id that a function gives, closed with whoever asked.

import { DestroyRef, assertInInjectionContext, computed, effect, inject, signal, untracked, type Signal } from '@angular/core';
import type { Estadisticas, Pulso, PulsoError, Status, Subscription, SubscriptionState } from '@pulso/client';
import { open } from './channels';
import { PULSO_OPENS, injectPulso } from './provide';

/** `idle`: nothing is asked for, because there is no id. */
export type PulsoState = SubscriptionState | 'idle';

interface Shown<T> {
  readonly state: PulsoState;
  readonly error: PulsoError | null;
  readonly value?: T | undefined;
  readonly updatedAt: number | null;
  readonly events: readonly T[];
  readonly gaps: number;
}

/** A state, as it is now. */
export interface PulsoRef<T> {
  /** Undefined before the first value, and once access is gone. */
  readonly value: Signal<T | undefined>;
  readonly state: Signal<PulsoState>;
  /** The line is away: what is shown was true a moment ago. */
  readonly stale: Signal<boolean>;
  /** Why it was refused, or what troubles it. */
  readonly error: Signal<PulsoError | null>;
  /** When `value` came (`Date.now()`). */
  readonly updatedAt: Signal<number | null>;
}

/** The latest events of a channel, the oldest first. */
export interface PulsoListRef<T> extends Omit<PulsoRef<T>, 'value' | 'updatedAt'> {
  readonly events: Signal<readonly T[]>;
  /** How often events were missed that could not be had any more: then what they change must be loaded afresh. */
  readonly gaps: Signal<number>;
  /** Forgets the events that are shown. */
  clear(): void;
}

type Id = string | null | undefined;

const NOTHING = { error: null, value: undefined, updatedAt: null, events: [], gaps: 0 };

function injectShown<T>(id: () => Id, ask: (pulso: Pulso, id: string) => Subscription<T>, keep: number) {
  const pulso = injectPulso();
  const opens = inject(PULSO_OPENS);
  const shown = signal<Shown<T>>({ ...NOTHING, state: 'pending' });

  /** Shows the subscription from now on; returns what ends that. */
  function watch(key: string): () => void {
    let again: ReturnType<typeof setTimeout> | undefined;
    const subscription = ask(pulso, key);
    let leave = () => subscription.close();
    const show = (more: Partial<Shown<T>>) => shown.update((before) => ({ ...before, ...more }));
    const copy = () => {
      const { state, error, latest, updatedAt } = subscription;
      show({ state, error, value: latest, updatedAt });
      // Somebody has signed out: whoever still shows it asks for the next user's.
      if (state === 'closed') again = setTimeout(() => (leave = watch(key)));
    };
    const offs = [
      subscription.on('state', copy),
      subscription.on('error', copy),
      subscription.on('resync', () => show({ gaps: shown().gaps + 1 })),
      subscription.on('value', (value) =>
        keep < 0 ? copy() : show({ events: keep ? [...shown().events, value].slice(-keep) : [] }),
      ),
    ];
    copy();
    return () => {
      clearTimeout(again);
      for (const off of offs) off();
      leave();
    };
  }

  effect((onCleanup) => {
    const key = id();
    untracked(() => {
      shown.set({ ...NOTHING, state: key == null ? 'idle' : 'pending' });
      if (key != null && opens) onCleanup(watch(key));
    });
  });
  const of = <K extends keyof Shown<T>>(name: K): Signal<Shown<T>[K]> => computed(() => shown()[name]);
  const state = of('state');
  return {
    value: of('value'),
    events: of('events'),
    gaps: of('gaps'),
    state,
    stale: computed(() => state() === 'stale'),
    error: of('error'),
    updatedAt: of('updatedAt'),
    clear: () => shown.update((before) => ({ ...before, events: [] })),
  };
}

/** The figures of the business whose id the function gives; none while that is `null`. */
export function injectStats(negocio: () => Id): PulsoRef<Estadisticas> {
  assertInInjectionContext(injectStats);
  return injectShown(negocio, (pulso, id) => pulso.stats(id), -1);
}

/** The result of a live query for the key that the function gives; one without keys has the key `''`. */
export function injectLiveQuery<T = unknown>(name: string, key: () => Id): PulsoRef<T> {
  assertInInjectionContext(injectLiveQuery);
  return injectShown(key, (pulso, id) => pulso.query<T>(name, id === '' ? undefined : id), -1);
}

/** The latest events of a channel: `negocio`, `staff_orders`, `restaurante:<id>` and their like, or one of your own. */
export function injectEvents<T>(channel: () => Id, { keep = 100 }: { keep?: number } = {}): PulsoListRef<T> {
  assertInInjectionContext(injectEvents);
  return injectShown(channel, (pulso, name) => open<T>(pulso, name), Math.max(0, keep));
}

/** How the line is. */
export function injectPulsoStatus(): Signal<Status> {
  assertInInjectionContext(injectPulsoStatus);
  const pulso = injectPulso();
  const status = signal(pulso.status);
  inject(DestroyRef).onDestroy(pulso.on('status', (now) => status.set(now)));
  return status.asReadonly();
}
