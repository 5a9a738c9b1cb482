// Owns a line that an application's tests hold in their hands: no server, no socket, no timer.

import { makeEnvironmentProviders, type EnvironmentProviders } from '@angular/core';
import type {
  Estadisticas, Pulso, PulsoEvents, Session, Status, Subscription, SubscriptionEvents, SubscriptionState,
} from '@pulso/client';
import { PULSO, PULSO_OPENS } from '@pulso/angular';

type Listener = (value: any) => void;

class Listeners {
  readonly #all = new Map<string, Set<Listener>>();

  on(event: string, listener: Listener): () => void {
    const mine: Listener = (value) => listener(value);
    const all = this.#all.get(event) ?? new Set();
    this.#all.set(event, all.add(mine));
    return () => void all.delete(mine);
  }

  tell(event: string, value: unknown): void {
    for (const listener of [...(this.#all.get(event) ?? [])]) listener(value);
  }
}

/** What an application holds of a channel. */
class FakeSubscription<T> {
  readonly listeners = new Listeners();
  state: SubscriptionState = 'pending';
  latest: T | undefined;
  updatedAt: number | null = null;
  readonly error = null;

  constructor(
    readonly channel: string,
    readonly left: (subscription: FakeSubscription<any>) => void,
  ) {}

  on<E extends keyof SubscriptionEvents<T>>(event: E, listener: (value: SubscriptionEvents<T>[E]) => void): () => void {
    return this.listeners.on(event, listener);
  }

  turn(state: SubscriptionState): void {
    if (this.state === state || this.state === 'closed') return;
    this.state = state;
    this.listeners.tell('state', state);
  }

  give(value: T, isState: boolean): void {
    if (isState) {
      this.latest = value;
      this.updatedAt = Date.now();
    }
    this.turn('live');
    this.listeners.tell('value', value);
  }

  subscribe(observer: { next?: (value: T) => void } | ((value: T) => void)) {
    const next = (value: T) => (typeof observer === 'function' ? observer(value) : observer.next?.(value));
    if (this.latest !== undefined) next(this.latest);
    return { unsubscribe: this.on('value', next) };
  }

  close(): void {
    this.turn('closed');
    this.left(this);
  }
}

const IDLE: Status = { state: 'idle', transport: null, retryAt: null, attempt: 0, since: 0, error: null, online: true };

/** Stands for `Pulso` in tests; what an application would be told is said here. */
export class FakePulso {
  readonly #listeners = new Listeners();
  readonly #held = new Set<FakeSubscription<any>>();
  readonly #latest = new Map<string, unknown>();
  /** The tokens that the application has set, the latest last. */
  readonly tokens: (string | null)[] = [];
  status: Status = IDLE;
  session: Session | null = null;

  /** The figures of a business are these from now on. */
  emitStats(negocio: string, figures: Partial<Omit<Estadisticas, 'negocio_id'>> = {}): void {
    const nothing = { citas_hoy: 0, total_citas: 0, citas_completadas: 0, citas_canceladas: 0, timestamp: 0 };
    this.#give(`estadisticas:${negocio}`, { ...nothing, ...figures, negocio_id: negocio }, true);
  }

  /** The result of a live query is this from now on. */
  emitQuery(name: string, key: string, result: unknown): void {
    this.#give(key === '' ? `consulta:${name}` : `consulta:${name}:${key}`, result, true);
  }

  /** An event happens in a channel, by its name on the wire. */
  emitEvent(channel: string, event: object): void {
    this.#give(channel, event, false);
  }

  /** The line is like this from now on; while it is not connected what is shown is stale. */
  setStatus(status: Partial<Status>): void {
    this.status = { ...this.status, ...status };
    for (const held of this.#held) {
      if (this.status.state !== 'connected' && held.state === 'live') held.turn('stale');
      else if (this.status.state === 'connected' && held.state === 'stale') held.turn('live');
    }
    this.#listeners.tell('status', this.status);
  }

  /** What is subscribed to, by name. */
  get channels(): string[] {
    return [...new Set([...this.#held].map(({ channel }) => channel))];
  }

  on<E extends keyof PulsoEvents>(event: E, listener: (value: PulsoEvents[E]) => void): () => void {
    return this.#listeners.on(event, listener);
  }

  stats(negocio: string) {
    return this.#hold<Estadisticas>(`estadisticas:${negocio}`);
  }

  sales(negocio?: string) {
    return this.#hold(this.#name('negocio', negocio));
  }

  orders(restaurant?: string) {
    return this.#hold(this.#name('restaurante', restaurant));
  }

  staff(negocio?: string) {
    return this.#hold(this.#name('staff_orders', negocio));
  }

  query(name: string, key?: string | number) {
    return this.#hold(this.#name(`consulta:${name}`, key));
  }

  channel(name: string) {
    return this.#hold(name.startsWith('canal:') ? name : `canal:${name}`);
  }

  connect(): void {
    this.setStatus({ state: 'connected', transport: 'websocket' });
  }

  reconnect(): void {
    this.connect();
  }

  setToken(token: string | null): void {
    this.tokens.push(token);
  }

  close(): void {
    for (const held of [...this.#held]) held.close();
  }

  ready(): Promise<Session> {
    return Promise.resolve(this.session ?? { v: 2 });
  }

  #name(kind: string, id?: string | number): string {
    return id === undefined ? kind : `${kind}:${id}`;
  }

  #hold<T>(channel: string): Subscription<T> {
    const held = new FakeSubscription<T>(channel, (left) => this.#held.delete(left));
    this.#held.add(held);
    if (this.#latest.has(channel)) held.give(this.#latest.get(channel) as T, true);
    return held as unknown as Subscription<T>;
  }

  #give(channel: string, value: unknown, isState: boolean): void {
    if (isState) this.#latest.set(channel, value);
    for (const held of [...this.#held]) if (held.channel === channel) held.give(value, isState);
  }
}

/** Gives a test a line of its own: `TestBed.inject(FakePulso)` is what the application takes for Pulso. */
export function provideFakePulso(): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: FakePulso, useFactory: () => new FakePulso() },
    { provide: PULSO_OPENS, useValue: true },
    { provide: PULSO, useFactory: (fake: FakePulso): Pulso => fake as unknown as Pulso, deps: [FakePulso] },
  ]);
}
