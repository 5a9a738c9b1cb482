// `@pulso/client`: one line to Pulso for any number of subscriptions.

import { type Connection, connection } from './connection.js';
import type { Kiosk, KioskOptions, PulsoClient, PulsoEvents, PulsoOptions, Session, Status } from './types.js';
import type { Estadisticas, NewOrder, OrderEvent, OrderStatusChanged, OwnMessage, SaleEvent } from './wire.js';

export { PulsoError, type PulsoErrorCode, type PulsoErrorDetails } from './errors.js';
export { local, tab } from './stores.js';
export type * from './types.js';
export type * from './wire.js';

const of = (name: string, id?: string | number) => (id === undefined ? name : `${name}:${id}`);

/** One line to a server, for any number of subscriptions. */
export class Pulso implements PulsoClient {
  readonly #line: Connection;

  constructor(options: PulsoOptions) {
    this.#line = connection(options);
  }

  get status(): Status {
    return this.#line.it.status;
  }

  get session(): Session | null {
    return this.#line.it.session;
  }

  on<E extends keyof PulsoEvents>(event: E, listener: (value: PulsoEvents[E]) => void): () => void {
    return this.#line.on(event, listener);
  }

  stats(negocio: string) {
    return this.#line.listen<Estadisticas>(of('estadisticas', negocio));
  }

  sales(negocio?: string) {
    return this.#line.listen<SaleEvent>(of('negocio', negocio));
  }

  orders(restaurant?: string) {
    return this.#line.listen<OrderEvent>(of('restaurante', restaurant));
  }

  staff(negocio?: string) {
    return this.#line.listen<NewOrder>(of('staff_orders', negocio));
  }

  query<T = unknown>(name: string, key?: string | number) {
    return this.#line.listen<T>(of(`consulta:${name}`, key));
  }

  channel<T = unknown>(name: string) {
    return this.#line.listen<OwnMessage<T>>(name.startsWith('canal:') ? name : `canal:${name}`);
  }

  connect(): void {
    this.#line.it.connect();
  }

  reconnect(): void {
    this.#line.it.reconnect();
  }

  setToken(token: string | null): void {
    this.#line.it.setToken(token);
  }

  close(): void {
    this.#line.close();
  }

  [Symbol.dispose](): void {
    this.#line.close();
  }

  ready(options?: { signal?: AbortSignal; timeout?: number }): Promise<Session> {
    return this.#line.ready(options);
  }
}

/** A kiosk's line, which asks on while its device is off. */
export function kiosk({ device, ...options }: KioskOptions): Kiosk {
  if (typeof device !== 'string' || !device) throw new TypeError('device is missing: what the kiosk calls itself');
  const line = connection(options, device);
  const orders = line.listen<OrderStatusChanged>('device');
  return {
    get status() {
      return line.it.status;
    },
    get session() {
      return line.it.session;
    },
    orders,
    on: line.on,
    connect: line.it.connect,
    reconnect: line.it.reconnect,
    close: line.close,
    [Symbol.dispose]: line.close,
    ready: line.ready,
  };
}
