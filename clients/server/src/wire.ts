/**
 * What is sent to Pulso's hooks, and what they answer. Generated from docs/openapi.yaml by scripts/wire.mjs.
 *
 * Must not be changed by hand.
 */

/**
 * `pg_current_xact_id()` of the transaction that made the change: only a read that sees it counts for this call. Not
 * `::xid`, which lacks the epoch. PostgreSQL only.
 */
export type Xid = string | number | null;

/** Fields that are not named here are ignored. */
export type Notice = {
  /**
   * The business whose appointments changed, as the id column holds it: at most 200 bytes, no control
   * characters; a uuid in any case where the column is a uuid. Where the column is an integer, and only there,
   * a JSON integer is understood too.
   */
  negocio_id: string;
  xid?: Xid;
  /** What happened. Every action has the same effect. */
  action?: 'created' | 'updated' | 'deleted' | 'status_changed' | null;
};

export type NoticeAccepted = {
  ok: true;
  /** The business, in the database's own spelling. */
  negocio_id: string;
  /** Subscriptions at the moment of this answer, on all nodes, a little late. */
  subscribers: number;
  /** Only those of the node that was called are counted; never said where there is one node. */
  scope?: 'node';
  /**
   * The version of the figures that were pushed, the `seq` of the `stats` message. Null when nothing was read
   * because nobody watches.
   */
  seq: number | null;
};

/** A live query, by the name of its file. */
export type QueryName = string;

export type TextId = string;

/** An integer, or a text of at most 200 bytes that is not blank and has no control characters. */
export type Id = number | TextId;

/** A key as the query's `$1` takes it; an integer where that is one, and only there. */
export type QueryKey = Id;

/** Fields that are not named here are ignored. One of `name` and `names`, and at most one of `key` and `keys`. */
export type Announcement = {
  name?: QueryName;
  names?: QueryName[] | null;
  key?: QueryKey | null;
  keys?: QueryKey[] | null;
  xid?: Xid;
} & ({
  name: QueryName;
} | {
  names: QueryName[] | null;
});

export type AnnouncementAccepted = {
  ok: true;
  /** Subscriptions to any of the channels at the moment of this answer, on all nodes, a little late. */
  subscribers: number;
  /** Only those of the node that was called are counted; never said where there is one node. */
  scope?: 'node';
  /** The greatest `seq` of the results that were pushed. Null when nothing was read, or not yet. */
  seq: number | null;
};

export type IdOrNull = Id | null;

/** Fields that are not named here are passed on. */
export type Sale = {
  negocio_id: Id;
  saleId: Id;
  tableId: IdOrNull;
  /** Money; every digit is kept. */
  total: number | string;
  timestamp: string;
};

export type Reached = {
  ok: true;
  /** How many clients were handed it, on all nodes, a little late. */
  clients: number;
  /** Only those of the node that was called are counted; never said where there is one node. */
  scope?: 'node';
};

/** Fields that are not named here are passed on. */
export type Product = {
  negocio_id: Id;
  productId: Id;
  action: string;
  newStock?: number | null;
};

/** Fields that are not named here are passed on. */
export type Promotion = {
  negocio_id: Id;
  promotionId: Id;
  action: string;
  enabled?: boolean | null;
};

/** Fields that are not named here are passed on. */
export type Table = {
  negocio_id: Id;
  tableId: IdOrNull;
  action: string;
  status?: string | null;
};

/** Fields that are not named here are passed on. */
export type NewRestaurantOrder = {
  orderId: Id;
  restaurantId: Id;
  tableSessionId: Id;
  status: string;
  createdAt: string;
  items?: {
    id?: IdOrNull;
    orderId?: IdOrNull;
  }[] | null;
};

/** Fields that are not named here are passed on. */
export type OrderStatusChange = {
  orderId: Id;
  restaurantId: Id;
  previousStatus?: string | null;
  newStatus: string;
  updatedAt?: string | null;
};

/** Fields that are not named here are passed on. */
export type ItemStatusChange = {
  orderId: Id;
  itemId: Id;
  restaurantId: Id;
  previousStatus?: string | null;
  newStatus: string;
  updatedAt?: string | null;
};

/** Fields that are not named here are ignored. */
export type NewClinicOrder = {
  type?: 'new_order' | null;
  negocio_id?: IdOrNull;
  order_id: number;
  room_code?: string | null;
  device_uid: TextId;
  placed_at: string;
};

export type ClinicStatus = 'PLACED' | 'PREPARING' | 'READY' | 'DELIVERED' | 'CANCELLED';

/** Fields that are not named here are ignored. */
export type ClinicStatusChange = {
  type?: 'order_status_changed' | null;
  order_id: number;
  status: ClinicStatus;
  from_status: ClinicStatus;
  changed_at: string;
} & ({
  device_uid: TextId;
  device_id?: null;
} | {
  device_id: Id;
  device_uid?: null;
});

export type Change = {
  entity: 'order' | 'customer';
  id: Id;
  /** Kept and handed out to the letter, with `id` and `version` set in it. */
  payload: object;
};

/** Fields that are not named here are ignored. */
export type BatchedMessage = {
  /** `canal:<negocio>:<name>`; the business as the id column holds it. */
  channel: string;
  type: string;
  /** Any JSON, passed on to the letter. */
  data: unknown;
};

export type Message = BatchedMessage & {
  messages?: null;
};

export type Messages = BatchedMessage[];

export type Publication = Message | {
  messages: Messages;
  channel?: null;
  type?: null;
  data?: null;
} | Messages;

/** Whom it names; the two others are missing or null. */
export type Disconnect = {
  /** As tokens spell it, in `id`, `user_id`, `sub` or `userId`. */
  user: Id;
  device_uid?: null;
  device_id?: null;
} | {
  device_uid: TextId;
  user?: null;
  device_id?: null;
} | {
  device_id: Id;
  user?: null;
  device_uid?: null;
};
