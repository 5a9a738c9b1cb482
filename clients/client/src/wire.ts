// What travels, by the names of docs/asyncapi.yaml.

export type Id = number | string;
/** A decimal number with the sender's digits: its text where a JavaScript number would change them. */
export type Money = number | string;

/** The figures of a business. */
export interface Estadisticas {
  negocio_id: string;
  citas_hoy: number;
  total_citas: number;
  citas_completadas: number;
  citas_canceladas: number;
  timestamp: number;
}

interface Happened<Type extends string, Data> {
  type: Type;
  /** Grows over all channels. A server without `v=2` may leave it out. */
  id?: string;
  channel?: string;
  data: Data;
  timestamp: string;
}

export type NewSale = Happened<'newSale', { saleId: Id; tableId: Id | null; total: Money; timestamp: string; [more: string]: unknown }>;
export type UpdateProduct = Happened<'updateProduct', { productId: Id; action: string; newStock?: Money; [more: string]: unknown }>;
export type UpdatePromotion = Happened<'updatePromotion', { promotionId: Id; action: string; enabled?: boolean; [more: string]: unknown }>;
export type UpdateTable = Happened<'updateTable', { tableId: Id | null; action: string; status?: string; [more: string]: unknown }>;
export type SaleEvent = NewSale | UpdateProduct | UpdatePromotion | UpdateTable;

export type OrderCreated = Happened<'order.new', { orderId: Id; restaurantId: Id; tableSessionId: Id; status: string; createdAt: string; items?: Record<string, unknown>[]; [more: string]: unknown }>;
export type OrderStatus = Happened<'order.status.changed', { orderId: Id; restaurantId: Id; newStatus: string; previousStatus?: string | null; updatedAt?: string; [more: string]: unknown }>;
export type ItemStatus = Happened<'order.item.status.changed', { orderId: Id; itemId: Id; restaurantId: Id; newStatus: string; previousStatus?: string | null; updatedAt?: string; [more: string]: unknown }>;
export type OrderEvent = OrderCreated | OrderStatus | ItemStatus;

/** A new order of a clinic. */
export interface NewOrder {
  type: 'new_order';
  id?: string;
  channel?: string;
  order_id: Id;
  room_code: string | null;
  device_uid: string;
  placed_at: string;
}
export type ClinicStatus = 'PLACED' | 'PREPARING' | 'READY' | 'DELIVERED' | 'CANCELLED';
/** An order of a kiosk's device is somewhere else now. */
export interface OrderStatusChanged {
  type: 'order_status_changed';
  id?: string;
  channel?: string;
  order_id: Id;
  status: ClinicStatus;
  from_status: ClinicStatus;
  changed_at: string;
}

/** A message of an application's own. */
export interface OwnMessage<T = unknown> {
  type: string;
  id?: string;
  channel: string;
  data: T;
  timestamp: string;
}

/** The codes of `error`; a code that was released never changes. */
export type ErrorCode =
  | 'forbidden' | 'withdrawn' | 'unavailable' | 'unchecked' | 'too_many_channels' | 'too_many_checks' | 'not_authenticated'
  | 'bad_token' | 'expired_token' | 'unknown_channel' | 'unknown_type' | 'bad_message' | 'binary' | 'given_twice' | 'feed_off'
  | 'too_large' | 'removed';
