/**
 * Tells Pulso what changed or happened: every hook as a method.
 *
 * Must not know how calls are repeated.
 */

import { randomUUID } from 'node:crypto';

import { send } from './attempt.js';
import { BadField, encode } from './body.js';
import { CALLS, CITA, CONSULTA, type CallName, lane } from './calls.js';
import { PulsoServerError } from './error.js';
import { PRINTABLE, type PulsoServerOptions, type Settings, settings } from './options.js';
import { type Job, Queue } from './queue.js';
import type {
  BatchedMessage,
  Change,
  ClinicStatusChange,
  Disconnect,
  Id,
  ItemStatusChange,
  NewClinicOrder,
  NewRestaurantOrder,
  Notice,
  OrderStatusChange,
  Product,
  Promotion,
  Reached,
  Sale,
  Table,
} from './wire.js';

export interface EventOptions {
  /** One of your own, that outlives this process: the call has its effect once a day, whoever repeats it. */
  idempotencyKey?: string | undefined;
}

/** `pg_current_xact_id()` of your transaction, where a hint is sent before its commit. */
export type TransactionId = string | number | bigint;

export interface CitaOptions {
  action?: NonNullable<Notice['action']> | undefined;
  xid?: TransactionId | undefined;
}

export interface ConsultaOptions {
  xid?: TransactionId | undefined;
}

interface Hint {
  path: string;
  /** Whose waiting hint it takes the place of. */
  lane: string;
  payload: { xid: string | undefined };
}

/** Where there is one business (`POS_SINGLE_BUSINESS`) none is named. */
type Single<T extends { negocio_id: unknown }> = Omit<T, 'negocio_id'> & { negocio_id?: T['negocio_id'] };

/** One for a process. Nothing here waits for Pulso unless you do. */
export class PulsoServer {
  readonly #settings: Settings;
  readonly #queue: Queue;

  constructor(options: PulsoServerOptions) {
    this.#settings = settings(options);
    const { key } = this.#settings;
    this.#queue = new Queue((job) => send(this.#settings, job), this.#settings, key);
  }

  /** The appointments of a business changed. Returns at once, throws never. */
  cita(negocio: Id, options: CitaOptions = {}): void {
    this.#hint('cita', () => {
      const { action, xid } = options;
      return { path: CITA, lane: lane('cita', negocio), payload: { negocio_id: negocio, action, xid: spelt(xid) } };
    });
  }

  /** What these live queries say of these keys changed; without a key where a query has none. Returns at once, throws never. */
  consulta(names: string | readonly string[], key?: Id | readonly Id[] | null, options: ConsultaOptions = {}): void {
    this.#hint('consulta', () => {
      const payload = {
        ...(Array.isArray(names) ? { names } : { name: names }),
        ...(Array.isArray(key) ? { keys: key } : { key: key ?? undefined }),
        xid: spelt(options.xid),
      };
      const of = Array.isArray(key) ? key.map(String) : String(key ?? '');
      return { path: CONSULTA, lane: lane('consulta', JSON.stringify([names, of])), payload };
    });
  }

  /** A sale was made. */
  venta<T extends Single<Sale>>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('venta', event, options);
  }

  /** A product changed. */
  producto<T extends Single<Product>>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('producto', event, options);
  }

  /** A promotion changed. */
  promocion<T extends Single<Promotion>>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('promocion', event, options);
  }

  /** A table changed. */
  mesa<T extends Single<Table>>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('mesa', event, options);
  }

  /** A restaurant has a new order. */
  orderNew<T extends NewRestaurantOrder>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('orderNew', event, options);
  }

  /** The status of a restaurant's order changed. */
  orderStatus<T extends OrderStatusChange>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('orderStatus', event, options);
  }

  /** The status of an item of a restaurant's order changed. */
  itemStatus<T extends ItemStatusChange>(event: T, options?: EventOptions): Promise<Reached> {
    return this.#event('itemStatus', event, options);
  }

  /** A clinic has a new order. */
  pedido(event: NewClinicOrder, options?: EventOptions): Promise<Reached> {
    return this.#event('pedido', event, options);
  }

  /** The state of a clinic's order changed. */
  pedidoEstado(event: ClinicStatusChange, options?: EventOptions): Promise<Reached> {
    return this.#event('pedidoEstado', event, options);
  }

  /** Something changed that a back end has to pull; `tenant` where there are several. */
  sync(change: Change & { tenant?: string }, options?: EventOptions): Promise<Reached> {
    return this.#event('sync', change, options);
  }

  /** Messages to channels of your own: all or none. */
  publish(messages: BatchedMessage | readonly BatchedMessage[], options?: EventOptions): Promise<Reached> {
    return this.#event('publish', messages, options);
  }

  /** Ends all connections of a user or a device. */
  disconnect(whom: Disconnect, options?: EventOptions): Promise<Reached> {
    return this.#event('disconnect', whom, options);
  }

  /** For SIGTERM: tries what waits at once, and waits until all is told or the time is over. Gives how many calls are left. */
  flush(options: { timeout?: number } = {}): Promise<number> {
    return this.#queue.flush(options.timeout ?? 3_000);
  }

  #hint(call: string, made: () => Hint): void {
    const settle: Job['settle'] = (end) => {
      if ('error' in end) this.#report(end.error);
    };
    try {
      const { path, lane, payload } = made();
      const isMerged = payload.xid === undefined;
      // A hint with a transaction is for that one alone, and waits for none.
      const lanes = isMerged ? [lane] : [];
      const body = encode(payload, 'hint', this.#settings.maxBytes);
      this.#queue.add({ call, path, body, lanes, isHint: true, isMerged, idempotencyKey: undefined, settle });
    } catch (cause) {
      this.#report(unsendable(call, cause));
    }
  }

  #event(call: CallName, payload: unknown, { idempotencyKey = randomUUID() }: EventOptions = {}): Promise<Reached> {
    const { path, lanes } = CALLS[call];
    const carriedOut = new Promise<Reached>((resolve, reject) => {
      const settle: Job['settle'] = (end) => {
        if ('error' in end) return reject(end.error);
        const reached = reachedBy(end.answer);
        if (reached !== undefined) return resolve(reached);
        reject(new PulsoServerError({ code: 'refused', call, says: 'what answered is not Pulso' }));
      };
      try {
        if (!PRINTABLE.test(idempotencyKey) || idempotencyKey.length > MAX_KEY) {
          throw new BadField('idempotencyKey', `must be 1 to ${MAX_KEY} printable characters`);
        }
        const body = encode(payload, 'event', this.#settings.maxBytes);
        this.#queue.add({ call, path, body, lanes: lanes(payload), isHint: false, isMerged: false, idempotencyKey, settle });
      } catch (cause) {
        reject(unsendable(call, cause));
      }
    });
    // Who does not wait must not be ended by what was told to `onError`.
    carriedOut.catch((error: unknown) => this.#report(error as PulsoServerError));
    return carriedOut;
  }

  #report(error: PulsoServerError): void {
    try {
      this.#settings.onError(error);
    } catch (cause) {
      process.emitWarning(`onError threw ${cause instanceof Error ? cause.name : typeof cause}`, 'PulsoServer');
    }
  }
}

const MAX_KEY = 255;

function unsendable(call: string, cause: unknown): PulsoServerError {
  if (cause instanceof BadField) return new PulsoServerError({ code: 'bad_payload', call, says: cause.message, field: cause.field });
  return new PulsoServerError({ code: 'bad_payload', call, says: 'it cannot be read: a member or its toJSON throws' });
}

/** As text: 64 bits do not fit into a number. */
function spelt(xid: TransactionId | null | undefined): string | undefined {
  return xid === undefined || xid === null ? undefined : String(xid);
}

function reachedBy(answer: string): Reached | undefined {
  try {
    const value = JSON.parse(answer) as Reached | null;
    return value?.ok === true && typeof value.clients === 'number' ? value : undefined;
  } catch {
    return undefined;
  }
}
