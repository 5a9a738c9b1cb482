// What travels with `v=2`. Made from docs/asyncapi.yaml by `npm run wire`: what is to change is changed there.

/** A number where JavaScript keeps its digits, and else its text: 45.50, an id of nineteen digits. */
export type Exact = number | string;

/** Whatever the server says with `v=2`, told apart by `type`; an application's own messages have a `channel` that begins with `canal:` and `data`, whatever their `type`. `order_status_changed` comes to kiosks only. */
export type ServerFrame =
  | Hello
  | Authenticated
  | Expiring
  | Subscribed
  | Unsubscribed
  | ErrorFrame
  | Stats
  | Consulta
  | NewSale
  | UpdateProduct
  | UpdatePromotion
  | UpdateTable
  | NewOrder
  | OrderStatusChanged
  | OrderNewEvent
  | OrderStatusEvent
  | ItemStatusEvent
  | OwnMessage
  | ResyncFrame
  | Pong
  | Closing;

/** First, as soon as it is known who is there. What does not apply is absent. */
export interface Hello {
  type: 'hello';
  /** The version that is spoken, the greatest that both know. */
  v: number;
  /** The version of Pulso. */
  server: string;
  user?: string;
  /** The businesses that the token names. */
  negocios?: string[];
  /** The restaurant that the token names. */
  restaurant?: string;
  role?: string;
  /** Unix seconds by the server's clock. */
  now: number;
  /** When the token ends, in Unix seconds. */
  expires?: number;
  /** After so many milliseconds of silence the server pings. */
  ping: number;
  /** Whoever is silent for so many milliseconds is taken for gone, on both sides. */
  silence: number;
  id: Position;
  ref?: Ref;
}

/** A newer token on a line that had its `hello`. */
export interface Authenticated {
  type: 'authenticated';
  /** Unix seconds by the server's clock. */
  now: number;
  /** When it ends, in Unix seconds. */
  expires: number;
  ref?: Ref;
}

/** Once a token: a minute before it ends, or a tenth of what it had left when it came, whichever is less. */
export interface Expiring {
  type: 'expiring';
  /** When it ends, in Unix seconds. */
  expires: number;
}

/** Before the first state or event of the channel; again for a second `subscribe`. */
export interface Subscribed {
  type: 'subscribed';
  /** In the server's own spelling. */
  channel: string;
  id: Position;
  ref?: Ref;
}

/** The channel is left, whoever wanted it. */
export interface Unsubscribed {
  type: 'unsubscribed';
  /** In the server's own spelling. */
  channel: string;
  /** `asked`: by the client. `withdrawn`: the rights ended. `user`: a newer token of the user opens it no more. */
  reason: 'asked' | 'withdrawn' | 'user';
  ref?: Ref;
}

export interface ErrorFrame {
  type: 'error';
  code: ErrorCode;
  /** In English, for developers. */
  message: string;
  /** What it is about, as the client wrote it. */
  channel?: string;
  ref?: Ref;
  /** The server goes on by itself. */
  retry: boolean;
  /** Ask again after so many milliseconds. */
  after?: number;
}

export interface Stats {
  type: 'stats';
  /** In the server's own spelling. */
  channel: string;
  /** The version of the figures. Grows with every read of a channel, also across a restart. */
  seq?: number;
  data: Estadisticas;
}

export interface Consulta<T = unknown> {
  type: 'consulta';
  /** With its key in the database's own spelling. */
  channel: string;
  /** The version of the result. Grows with every read of a channel, also across a restart. */
  seq: number;
  /** When it was read, in Unix seconds. */
  timestamp: number;
  /** What the query says, of one snapshot. An object whose keys stand in the order of the columns, or an array of such. */
  data: T;
}

export interface NewSale {
  id: Position;
  channel: string;
  type: 'newSale';
  data: Sale;
  timestamp: Sent;
}

export interface UpdateProduct {
  id: Position;
  channel: string;
  type: 'updateProduct';
  data: ProductChange;
  timestamp: Sent;
}

export interface UpdatePromotion {
  id: Position;
  channel: string;
  type: 'updatePromotion';
  data: PromotionChange;
  timestamp: Sent;
}

export interface UpdateTable {
  id: Position;
  channel: string;
  type: 'updateTable';
  data: TableChange;
  timestamp: Sent;
}

export interface NewOrder {
  id: Position;
  channel: string;
  type: 'new_order';
  order_id: Exact;
  room_code: string | null;
  device_uid: string;
  placed_at: string;
}

export interface OrderStatusChanged {
  id: Position;
  channel: 'device';
  type: 'order_status_changed';
  order_id: Exact;
  status: ClinicStatus;
  from_status: ClinicStatus;
  changed_at: string;
}

export interface OrderNewEvent {
  id: Position;
  channel: string;
  type: 'order.new';
  data: Order;
  timestamp: Sent;
}

export interface OrderStatusEvent {
  id: Position;
  channel: string;
  type: 'order.status.changed';
  data: OrderStatus;
  timestamp: Sent;
}

export interface ItemStatusEvent {
  id: Position;
  channel: string;
  type: 'order.item.status.changed';
  data: ItemStatus;
  timestamp: Sent;
}

export interface OwnMessage<T = unknown> {
  id: Position;
  type: OwnType;
  channel: string;
  /** Any JSON, to the letter as it was published. */
  data: T;
  timestamp: Sent;
}

/** Not everything that was missed can be replayed. What came on other channels did come. */
export interface ResyncFrame {
  type: 'resync';
  /** Those that have a hole. */
  channels: string[];
  id: Position;
}

export interface Pong {
  type: 'pong';
  ref?: Ref;
}

/** Right before a close of the server's own, where it can still be sent; in a stream the event `close`. */
export interface Closing {
  type: 'closing';
  /** As the close code that follows. */
  code: number;
  reason: string;
  /** Whether to come again with what the client has now; else with another token, or not at all. */
  again: boolean;
  /** Milliseconds to wait before that; 0 where the server has spread its closes. */
  after: number;
}

/** Where the client stands. As `since` it is given every event after that. */
export type Position = string;

/** The client's own word for what it said; every answer to that has it. */
export type Ref = string;

/** What is never changed once it is released. `docs/book/en/src/reference/errors.md` has a row for each. */
export type ErrorCode =
  | 'forbidden'
  | 'withdrawn'
  | 'unavailable'
  | 'unchecked'
  | 'too_many_channels'
  | 'too_many_checks'
  | 'not_authenticated'
  | 'bad_token'
  | 'expired_token'
  | 'unknown_channel'
  | 'unknown_type'
  | 'bad_message'
  | 'binary'
  | 'given_twice'
  | 'feed_off'
  | 'too_large'
  | 'removed';

export interface Estadisticas {
  /** In the database's own spelling. */
  negocio_id: string;
  /** Appointments whose date is today in the business's time zone, in any state. */
  citas_hoy: number;
  total_citas: number;
  /** Those with `estado = 'atendida'`. */
  citas_completadas: number;
  /** Those with `estado = 'cancelada'`. */
  citas_canceladas: number;
  /** When the figures were read, in Unix seconds. */
  timestamp: number;
}

/** To the letter as the hook was called, fields that are not named here too. */
export interface Sale {
  saleId: Id;
  tableId: IdOrNull;
  total: Money;
  timestamp: string;
  /** Whatever else was sent. */
  [more: string]: unknown;
}

/** When the event was sent, ISO 8601 in UTC. */
export type Sent = string;

/** To the letter as the hook was called, fields that are not named here too. */
export interface ProductChange {
  productId: Id;
  action: string;
  newStock?: Exact;
  /** Whatever else was sent. */
  [more: string]: unknown;
}

/** To the letter as the hook was called, fields that are not named here too. */
export interface PromotionChange {
  promotionId: Id;
  action: string;
  enabled?: boolean;
  /** Whatever else was sent. */
  [more: string]: unknown;
}

/** To the letter as the hook was called, fields that are not named here too. */
export interface TableChange {
  tableId: IdOrNull;
  action: string;
  status?: string;
  /** Whatever else was sent. */
  [more: string]: unknown;
}

export type ClinicStatus = 'PLACED' | 'PREPARING' | 'READY' | 'DELIVERED' | 'CANCELLED';

/** To the letter as the hook was called, fields that are not named here too. */
export interface Order {
  orderId: Id;
  restaurantId: Id;
  tableSessionId: Id;
  status: string;
  createdAt: string;
  items?: (Record<string, unknown>)[];
  /** Whatever else was sent. */
  [more: string]: unknown;
}

/** To the letter as the hook was called, fields that are not named here too. */
export interface OrderStatus {
  orderId: Id;
  restaurantId: Id;
  newStatus: string;
  previousStatus?: string | null;
  updatedAt?: string;
  /** Whatever else was sent. */
  [more: string]: unknown;
}

/** To the letter as the hook was called, fields that are not named here too. */
export interface ItemStatus {
  orderId: Id;
  restaurantId: Id;
  itemId: Id;
  newStatus: string;
  previousStatus?: string | null;
  updatedAt?: string;
  /** Whatever else was sent. */
  [more: string]: unknown;
}

export type OwnType = string;

export type Id = Exact | string;

export type IdOrNull = Id | null;

/** A number or a decimal string, with the digits that the caller sent. */
export type Money = Exact | string;

/** What happens in a shop. */
export type SaleEvent = NewSale | UpdateProduct | UpdatePromotion | UpdateTable;
/** What happens to the orders of a restaurant. */
export type OrderEvent = OrderNewEvent | OrderStatusEvent | ItemStatusEvent;
