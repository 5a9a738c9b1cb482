// Owns the clinic staff's board: the new orders, newest first.

import { say } from '/announcer.js';
import { arrange, make, setData, setText } from '/elements.js';
import { momentOf, textOf } from '/received.js';
import * as words from '/words.js';
import { Status } from '/boards/status.js';

const MOST_ORDERS = 40;
const NEW_SHOWN_MS = 30_000;

export class ClinicBoard {
  #root = document.getElementById('clinica');
  #list = this.#root.querySelector('.arrivals');
  #orders = [];
  status = new Status(this.#root.querySelector('.status'));

  constructor() {
    this.clear();
  }

  take(_name, data, now) {
    const id = textOf(data.order_id);
    if (id === '' || this.#orders.some((order) => order.id === id)) return;
    const order = {
      id, room: textOf(data.room_code), device: textOf(data.device_uid), placedAt: momentOf(data.placed_at, now), seenAt: now,
    };
    order.row = this.#row(order);
    this.#orders.unshift(order);
    // What was missed comes later than it happened.
    this.#orders.sort((one, other) => other.placedAt - one.placedAt);
    this.#orders.length = Math.min(this.#orders.length, MOST_ORDERS);
    say(words.texts.order.arrived(id, order.room ? words.texts.order.inRoom(order.room) : order.device));
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
