// `@pulso/client`: one line to Pulso for any number of subscriptions.

import { type Connection, connection } from './connection.js';
import type { PulsoClient, PulsoEvents, PulsoOptions, Session, Status } from './types.js';
import type { Estadisticas, NewOrder, OrderEvent, OwnMessage, SaleEvent } from './wire.js';

export { PulsoError, type PulsoErrorCode, type PulsoErrorDetails } from './errors.js';
export { kiosk } from './kiosk.js';
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
    return this.#line.status;
  }

  get session(): Session | null {
    return this.#line.session;
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
    this.#line.connect();
  }

  reconnect(): void {
    this.#line.reconnect();
  }

  setToken(token: string | null): void {
    this.#line.setToken(token);
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
