// Owns the clinic staff's board: the new orders, newest first.

import { say } from '/announcer.js';
import { arrange, make, setData, setText } from '/elements.js';
import { momentOf, textOf } from '/received.js';
import * as words from '/words.js';
import { Status } from '/boards/status.js';

const MOST_ORDERS = 40;
const NEW_SHOWN_MS = 30_000;
/** In which an event and a state may have crossed. */
const CROSSES_WITHIN_MS = 5_000;

export class ClinicBoard {
  #root = document.getElementById('clinica');
  #list = this.#root.querySelector('.arrivals');
  #orders = [];
  status = new Status(this.#root.querySelector('.status'));

  constructor() {
    this.clear();
  }

  take(_name, data, now) {
    const order = this.#add(data, now);
    if (!order) return;
    order.seenAt = now;
    say(words.texts.order.arrived(order.id, order.room ? words.texts.order.inRoom(order.room) : order.device));
  }

  /**
   * Takes all that is open. Nobody is told of it: it is no news. What is here and is not among it has ended, unless it has only
   * just been heard of.
   */
  takeOpen(rows, now) {
    const open = new Set(rows.map((row) => textOf(row.order_id)));
    this.#orders = this.#orders.filter(({ id, seenAt }) => open.has(id) || now - seenAt <= CROSSES_WITHIN_MS);
    for (const row of rows) this.#add(row, now);
  }

  clear() {
    this.#orders = [];
    this.render(Date.now());
  }

  tick(now) {
    this.status.tick(now);
    this.render(now);
  }

  refused() {
    this.status.refused();
  }

  headline() {
    return '';
  }

  render(now) {
    for (const { row, placedAt, seenAt } of this.#orders) {
      setText(row.querySelector('.order-age'), words.formatSince(now - placedAt));
      setData(row, 'new', String(now - seenAt < NEW_SHOWN_MS));
    }
    arrange(this.#list, this.#orders.map(({ row }) => row));
    setData(this.#root, 'empty', String(this.#orders.length === 0));
    const newest = this.#orders[0];
    this.status.news(newest ? words.BOARD.lastOrder(words.formatClock(newest.placedAt)) : words.BOARD.waitingOrders);
  }

  /** An order that was not there yet; else nothing. */
  #add(data, now) {
    const id = textOf(data.order_id);
    if (id === '' || this.#orders.some((order) => order.id === id)) return undefined;
    const placedAt = momentOf(data.placed_at, now);
    const order = { id, room: textOf(data.room_code), device: textOf(data.device_uid), placedAt, seenAt: placedAt };
    order.row = this.#row(order);
    this.#orders.unshift(order);
    // What was missed comes later than it happened.
    this.#orders.sort((one, other) => other.placedAt - one.placedAt);
    this.#orders.length = Math.min(this.#orders.length, MOST_ORDERS);
    return order;
  }

  #row({ id, room, device, placedAt }) {
    const place = room
      ? make('p', 'place', make('small', '', words.texts.order.room), ' ', make('b', '', room))
      : make('p', 'place', make('small', '', words.texts.order.device), ' ', make('b', '', device || '—'));
    const time = make('time', '', words.formatTime(placedAt));
    time.dateTime = new Date(placedAt).toISOString();
    const row = make(
      'li', 'arrival', place,
      make(
        'p', 'arrival-what',
        make('span', 'arrival-order', `${words.texts.order.order} ${words.shortId(id)}`),
        make('span', 'arrival-when', time, ' ', make('span', 'order-age')),
      ),
    );
    if (room && device) row.append(make('p', 'arrival-device', device));
    row.dataset.order = id;
    row.dataset.by = room ? 'room' : 'device';
    return row;
  }
}
