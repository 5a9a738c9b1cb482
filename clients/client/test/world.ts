// A world that a test drives by hand: time that stands still, and sockets whose other end is the test.

import { setImmediate } from 'node:timers/promises';
import { Pulso, type PulsoOptions } from '../src/index.ts';

export class Time {
  at = 1_000_000;
  #timers = new Map<number, { due: number; act: () => void }>();
  #made = 0;

  get waiting() {
    return this.#timers.size;
  }

  clock = {
    now: () => this.at,
    setTimeout: (act: () => void, ms: number) => {
      this.#timers.set(++this.#made, { due: this.at + ms, act });
      return this.#made;
    },
    clearTimeout: (timer: number) => void this.#timers.delete(timer),
  };

  /** Lets time pass, each timer at its moment. */
  async pass(ms: number) {
    const until = this.at + ms;
    for (;;) {
      await settled();
      const [next] = [...this.#timers].filter(([, { due }]) => due <= until).sort(([a, one], [b, other]) => one.due - other.due || a - b);
      if (!next) break;
      this.#timers.delete(next[0]);
      this.at = Math.max(this.at, next[1].due);
      next[1].act();
    }
    this.at = until;
    await settled();
  }

  /** As after a sleep: time has passed and no timer has fired. */
  sleep(ms: number) {
    this.at += ms;
  }
}

/** Until all that can happen without time passing has happened. */
export async function settled() {
  for (let round = 0; round < 3; round++) await setImmediate();
}

export class Socket {
  static all: Socket[] = [];
  readyState = 0;
  sent: any[] = [];
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: (event: { code: number; reason: string }) => void;
  onerror?: (event: { message?: string }) => void;
  readonly url: string;

  constructor(url: string) {
    this.url = url;
    Socket.all.push(this);
  }

  static get last() {
    return Socket.all.at(-1)!;
  }

  static get open() {
    return Socket.all.filter(({ readyState }) => readyState < 2);
  }

  send(text: string) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  opens() {
    this.readyState = 1;
    this.onopen?.();
  }

  says(...frames: (object | string)[]) {
    for (const frame of frames) this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  closes(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** As Node's own: a failed handshake is told by `error` alone. */
  fails(message = '') {
    this.onerror?.({ message });
    this.readyState = 3;
  }

  asked(type: string) {
    return this.sent.filter((frame) => frame.type === type);
  }

  /** Opens and knows who is there; each subscription is granted and has figures. */
  welcomes(more: object = {}) {
    this.opens();
    this.says({ type: 'hello', ...HELLO, ...more });
    this.grants();
  }

  grants() {
    for (const { channel, ref } of this.asked('subscribe').splice(0)) this.says({ type: 'subscribed', channel, id: '100', ref });
    this.says({ type: 'pong' });
  }
}

export const HELLO = { v: 2, server: '0.2.0', user: 'ana', negocios: ['a'], now: 1_000, expires: 4_600, ping: 25_000, silence: 45_000, id: '100' };
export const figures = (negocio: string, total = 7) =>
  ({ negocio_id: negocio, citas_hoy: 1, total_citas: total, citas_completadas: 2, citas_canceladas: 3, timestamp: 1_764_000_000 });
export const stats = (negocio: string, seq: number, total = seq) => ({ type: 'stats', channel: `estadisticas:${negocio}`, seq, data: figures(negocio, total) });
export const sale = (id: number, negocio = 'a') => ({ id: String(id), channel: `negocio:${negocio}`, type: 'newSale', data: { saleId: id, tableId: null, total: '1.00', timestamp: '' }, timestamp: '' });
export const token = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
export const ANA = token({ id: 'ana', iat: 1_000, exp: 4_600 });

export function world(options: Partial<PulsoOptions> = {}) {
  Socket.all = [];
  const time = new Time();
  const errors: any[] = [];
  const pulso = new Pulso({
    url: 'https://pulso.example.com', token: ANA, WebSocket: Socket as any, clock: time.clock, random: () => 1, transports: ['websocket'], ...options,
  });
  pulso.on('error', (error) => errors.push(error));
  return { pulso, time, errors };
}

/** What a subscription says from now on. */
export function heard<T>(subscription: { on(event: any, listener: (value: T) => void): unknown }, event = 'value') {
  const values: T[] = [];
  subscription.on(event, (value: T) => values.push(value));
  return values;
}
