// Owns what is known of a restaurant's orders and in which column each belongs. No page, no socket, no clock.

import { parse } from '/json.js';
import { momentOf, textOf } from '/received.js';

const MOST_ORDERS = 150;
const MOST_ITEMS = 40;
const LEAVES_AFTER_MS = 60_000;
const FORGOTTEN_AFTER_MS = 8 * 60 * 60_000;
/** In which an event and a state may have crossed. */
const CROSSES_WITHIN_MS = 5_000;

const COLUMN_OF = new Map([
  ...['DRAFT', 'PLACED', 'CONFIRMED', 'PENDING'].map((status) => [status, 'confirmados']),
  ...['IN_PROGRESS', 'PREPARING'].map((status) => [status, 'cocina']),
  ...['READY', 'SERVED', 'DELIVERED', 'COMPLETED'].map((status) => [status, 'listos']),
]);
const ENDS = new Set(['SERVED', 'DELIVERED', 'COMPLETED', 'CANCELLED']);

/** A list, or its JSON: not every database has a type for it. */
function listOf(value) {
  const list = typeof value === 'string' ? parse(value) : value;
  return Array.isArray(list) ? list : [];
}

export class Orders {
  #orders = new Map();
  #counter = 0;

  /** Takes an event in; answers with `{ kind: 'new' | 'moved' | 'item', order, isNew?, item? }`, or null if it says nothing new. */
  take(name, data, now) {
    const id = textOf(data.orderId);
    if (id === '') return null;
    if (name === 'order.new') return this.#add(id, data, now);
    if (name === 'order.status.changed') return this.#move(id, data, now);
    if (name === 'order.item.status.changed') return this.#changeItem(id, data, now);
    return null;
  }

  /**
   * Takes all that is open, each order with the fields of `order.new` as it is now. What is here and is not among them has
   * ended, unless it has only just been heard of.
   */
  takeOpen(rows, now) {
    const open = new Set();
    for (const row of rows) {
      const id = textOf(row.orderId);
      if (id === '' || ENDS.has(textOf(row.status))) continue;
      open.add(id);
      if (this.#orders.get(id)?.leavesAt) continue; // it ended while this was on its way
      this.#add(id, { ...row, items: listOf(row.items) }, now);
    }
    for (const order of this.#orders.values()) {
      if (order.leavesAt === null && !open.has(order.id) && now - order.touchedAt > CROSSES_WITHIN_MS) this.#orders.delete(order.id);
    }
  }

  /** Lets go of what ended a while ago, and of what nobody has touched for hours. */
  forget(now) {
    for (const order of this.#orders.values()) {
      if (order.leavesAt === null ? now - order.touchedAt > FORGOTTEN_AFTER_MS : order.leavesAt <= now) this.#orders.delete(order.id);
    }
  }

  clear() {
    this.#orders.clear();
  }

  /** The orders of a column, who waits longest first. */
  column(name) {
    const orders = [...this.#orders.values()].filter((order) => order.column === name);
    orders.sort((one, other) => one.placedAt - other.placedAt || one.number - other.number);
    return orders;
  }

  get open() {
    return [...this.#orders.values()].filter((order) => order.leavesAt === null).length;
  }

  #add(id, data, now) {
    const known = this.#orders.get(id);
    const order = known ?? this.#blank(id, now);
    order.isDetailed = true;
    order.session = textOf(data.tableSessionId);
    order.placedAt = momentOf(data.createdAt, now);
    order.items = new Map();
    for (const item of Array.isArray(data.items) ? data.items.slice(0, MOST_ITEMS) : []) {
      if (typeof item !== 'object' || item === null) continue;
      order.items.set(textOf(item.id) || `#${order.items.size}`, {
        name: textOf(item.name), quantity: textOf(item.qty), notes: textOf(item.notes), status: textOf(item.status),
      });
    }
    this.#setStatus(order, textOf(data.status), now);
    if (known) return { kind: 'moved', order };
    this.#orders.set(id, order);
    this.#bound();
    return { kind: 'new', order, isNew: true };
  }

  #move(id, data, now) {
    const status = textOf(data.newStatus);
    const known = this.#orders.get(id);
    if (known?.status === status) return null;
    // Ordered before this screen was there: what still wants doing is shown, if only by its number.
    if (!known && ENDS.has(status)) return null;
    const order = known ?? this.#blank(id, momentOf(data.updatedAt, now));
    if (!known) {
      this.#orders.set(id, order);
      this.#bound();
    }
    this.#setStatus(order, status, now);
    return { kind: 'moved', order, isNew: !known };
  }

  #changeItem(id, data, now) {
    const order = this.#orders.get(id);
    const item = order?.items.get(textOf(data.itemId));
    const status = textOf(data.newStatus);
    if (!item || item.status === status) return null;
    item.status = status;
    order.touchedAt = now;
    return { kind: 'item', order, item };
  }

  #blank(id, placedAt) {
    this.#counter += 1;
    return {
      id, number: this.#counter, session: '', status: '', column: 'confirmados', items: new Map(), placedAt,
      isDetailed: false, leavesAt: null, touchedAt: 0,
    };
  }

  #setStatus(order, status, now) {
    order.status = status;
    order.touchedAt = now;
    // A state nobody here has heard of says nothing of where the order belongs; a cancelled one stays where it was.
    order.column = COLUMN_OF.get(status) ?? order.column;
    order.leavesAt = ENDS.has(status) ? now + LEAVES_AFTER_MS : null;
  }

  #bound() {
    if (this.#orders.size <= MOST_ORDERS) return;
    const all = [...this.#orders.values()];
    const goes = all.find((order) => order.leavesAt !== null) ?? all[0];
    this.#orders.delete(goes.id);
  }
}
