/**
 * Every call that Pulso takes: where it goes, and with whom it has one order.
 *
 * Must not know how anything is sent.
 */

export interface Call {
  readonly path: string;
  /** Calls of one lane are carried out in the order in which they were made. */
  readonly lanes: (payload: unknown) => string[];
}

/** By the method's name. */
export const CALLS = {
  venta: { path: '/notify/venta', lanes: of('negocio', 'negocio_id') },
  producto: { path: '/notify/producto', lanes: of('negocio', 'negocio_id') },
  promocion: { path: '/notify/promocion', lanes: of('negocio', 'negocio_id') },
  mesa: { path: '/notify/mesa', lanes: of('negocio', 'negocio_id') },
  orderNew: { path: '/notify/order/new', lanes: of('restaurante', 'restaurantId') },
  orderStatus: { path: '/notify/order/status', lanes: of('restaurante', 'restaurantId') },
  itemStatus: { path: '/notify/order/item-status', lanes: of('restaurante', 'restaurantId') },
  pedido: { path: '/notify/pedido', lanes: of('negocio', 'negocio_id') },
  pedidoEstado: { path: '/notify/pedido/estado', lanes: of('dispositivo', 'device_uid', 'device_id') },
  sync: { path: '/notify/sync', lanes: of('sync', 'tenant') },
  publish: { path: '/api/publish', lanes: channels },
  disconnect: { path: '/api/disconnect', lanes: of('fin', 'user', 'device_uid', 'device_id') },
} as const satisfies Record<string, Call>;

export type CallName = keyof typeof CALLS;

export const CITA = '/notify/cita';
export const CONSULTA = '/notify/consulta';

/** Named by the first of `fields` that is there. */
function of(kind: string, ...fields: string[]): (payload: unknown) => string[] {
  return (payload) => [lane(kind, fields.map((field) => member(payload, field)).find((value) => value !== undefined))];
}

/** A batch is one call, and may be for several businesses. */
function channels(payload: unknown): string[] {
  const messages = Array.isArray(payload) ? payload : [payload];
  return [...new Set(messages.map((message) => lane('negocio', business(member(message, 'channel')))))];
}

/** Of `canal:<negocio>:<name>`: a name has no colon, a business may. */
function business(channel: unknown): unknown {
  if (typeof channel !== 'string') return channel;
  return channel.slice(channel.indexOf(':') + 1, Math.max(0, channel.lastIndexOf(':')));
}

/** 7 and "7" are one id, and so is a uuid in either case. */
export function lane(kind: string, id: unknown): string {
  return `${kind}:${String(id ?? '').toLowerCase()}`;
}

function member(payload: unknown, field: string): unknown {
  if (payload === null || typeof payload !== 'object') return undefined;
  return (payload as Record<string, unknown>)[field] ?? undefined;
}
