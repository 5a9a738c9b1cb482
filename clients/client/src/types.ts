// Owns what an application sees of the client: its options, its status, its subscriptions.

import type { PulsoError } from './errors.js';
import type { Consulta, Estadisticas, NewOrder, OrderEvent, OrderStatusChanged, OwnMessage, SaleEvent, Stats } from './wire.js';

export type State = 'idle' | 'connecting' | 'connected' | 'waiting' | 'stopped';
export type Transport = 'websocket' | 'sse';

/** How the line is; a new object at each change. */
export interface Status {
  readonly state: State;
  readonly transport: Transport | null;
  /** When it is tried again (`Date.now()`), while `waiting`; null while the page is put away. */
  readonly retryAt: number | null;
  /** Attempts in a row that failed. */
  readonly attempt: number;
  /** Since when it is in this state (`Date.now()`). */
  readonly since: number;
  readonly error: PulsoError | null;
  readonly online: boolean;
}

/** What the server said in its `hello`. */
export interface Session {
  readonly v: number;
  readonly server?: string;
  readonly user?: string;
  readonly negocios?: readonly string[];
  readonly restaurant?: string;
  readonly role?: string;
  readonly now?: number;
  readonly expires?: number;
  readonly ping?: number;
  readonly silence?: number;
  readonly id?: string;
}

/** Not everything that was missed can be had: what is shown has to be loaded afresh. */
export interface Resync {
  /** Which channels have a hole; empty where an older server does not say. */
  readonly channels: readonly string[];
  readonly id: string | null;
}

/** A type that this version of the client does not know. */
export interface UnknownEvent {
  readonly type: string & {};
  readonly id?: string;
  readonly channel?: string;
  readonly [more: string]: unknown;
}

export type KnownEvent =
  | SaleEvent
  | OrderEvent
  | NewOrder
  | OrderStatusChanged
  | Stats
  | Consulta;

/** All that happens, told apart by `type`; a message of an application's own has any other. */
export type AnyEvent = KnownEvent | OwnMessage | UnknownEvent;

export interface PulsoEvents {
  status: Status;
  session: Session;
  error: PulsoError;
  resync: Resync;
  event: AnyEvent;
}

export type SubscriptionState = 'pending' | 'live' | 'stale' | 'refused' | 'closed';

export interface SubscriptionEvents<T> {
  value: T;
  state: SubscriptionState;
  resync: Resync;
  error: PulsoError;
}

export interface Observer<T> {
  next(value: T): void;
  error(error: PulsoError): void;
  complete(): void;
}

export interface Subscription<T> extends AsyncIterable<T>, Disposable {
  /** In the server's own spelling, once it has said it. */
  readonly channel: string;
  readonly state: SubscriptionState;
  /** Of states only; undefined once access is gone. */
  readonly latest: T | undefined;
  /** When `latest` came (`Date.now()`). */
  readonly updatedAt: number | null;
  /** Why it was refused, or what troubles it. */
  readonly error: PulsoError | null;
  on<E extends keyof SubscriptionEvents<T>>(event: E, listener: (value: SubscriptionEvents<T>[E]) => void): () => void;
  subscribe(observer: Partial<Observer<T>> | ((value: T) => void)): { unsubscribe(): void };
  /** The last holder leaves the channel. */
  close(): void;
}

export interface TokenContext {
  reason: 'first' | 'reconnect' | 'expiring' | 'rejected';
  previous: string | null;
  /** Aborted once nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** Where positions are kept, each by its key. What it throws is passed over. */
export interface CursorStore {
  read(key: string): string | null | undefined;
  write(key: string, value: string): void;
  remove(key: string): void;
}

/** Time, for tests. */
export interface Clock {
  now(): number;
  setTimeout(act: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

export interface PulsoOptions {
  /** http(s) or ws(s); a path is a prefix. */
  url: string | URL;
  /** Without `getToken` the client stops when this one is over. */
  token?: string | undefined;
  getToken?: ((context: TokenContext) => string | null | Promise<string | null>) | undefined;
  /** 1,000 and 30,000 ms; waits between half and all of `min * 2^n`. */
  backoff?: { min?: number; max?: number } | undefined;
  pingEvery?: number | undefined;
  answerWithin?: number | undefined;
  /** The line outlives its last subscription by this; 5,000 ms. */
  linger?: number | undefined;
  /** Where positions are kept; in memory unless said otherwise. */
  store?: CursorStore | undefined;
  /** Both, in this order. */
  transports?: Transport[] | undefined;
  /** `exact`: a number that JavaScript would change arrives as its text. */
  numbers?: 'exact' | 'plain' | undefined;
  /** Whether becoming visible, and the network, are heeded; true where the platform has them. */
  visibility?: boolean | undefined;
  network?: boolean | undefined;
  /** True: the framework packages open nothing where there is no window. */
  ssr?: boolean | undefined;
  WebSocket?: typeof WebSocket | undefined;
  fetch?: typeof fetch | undefined;
  random?: (() => number) | undefined;
  clock?: Clock | undefined;
}

/** One line to a server, for any number of subscriptions. */
export interface PulsoClient {
  readonly status: Status;
  readonly session: Session | null;
  on<E extends keyof PulsoEvents>(event: E, listener: (value: PulsoEvents[E]) => void): () => void;
  stats(negocio: string): Subscription<Estadisticas>;
  sales(negocio?: string): Subscription<SaleEvent>;
  orders(restaurant?: string): Subscription<OrderEvent>;
  staff(negocio?: string): Subscription<NewOrder>;
  /** A live query. */
  query<T = unknown>(name: string, key?: string | number): Subscription<T>;
  channel<T = unknown>(name: string): Subscription<OwnMessage<T>>;
  /** Otherwise by the first subscription. */
  connect(): void;
  /** Now, whatever the backoff says. */
  reconnect(): void;
  /** Renews in place; null forgets it, all subscriptions, values and positions. */
  setToken(token: string | null): void;
  /** Nothing remains, no timer, no listener. */
  close(): void;
  [Symbol.dispose](): void;
  ready(options?: { signal?: AbortSignal; timeout?: number }): Promise<Session>;
}

export interface KioskOptions extends Omit<PulsoOptions, 'token' | 'getToken' | 'url'> {
  url: string | URL;
  /** What the device calls itself. */
  device: string;
}

/** A kiosk's line, one for all who ask for the same device: same events; asks on while the device is off. */
export interface Kiosk extends Pick<PulsoClient, 'status' | 'session' | 'on' | 'connect' | 'reconnect' | 'close' | 'ready'>, Disposable {
  readonly orders: Subscription<OrderStatusChanged>;
}
