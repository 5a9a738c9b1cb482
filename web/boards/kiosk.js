// Owns the kiosk's view: how far each order of this device is, in letters for the other side of the room.

import { say } from '/announcer.js';
import { arrange, make, setData, setText } from '/elements.js';
import { momentOf, textOf } from '/received.js';
import * as words from '/words.js';
import { Status } from '/boards/status.js';

const MOST_ORDERS = 12;
const STEPS = ['PLACED', 'PREPARING', 'READY', 'DELIVERED'];
const LEAVES_AFTER_MS = new Map([['DELIVERED', 60_000], ['CANCELLED', 120_000]]);
const CHANGED_SHOWN_MS = 12_000;

export class KioskBoard {
  #root = document.getElementById('kiosko');
  #list = this.#root.querySelector('.tickets');
  #orders = new Map();
  #counter = 0;
  status = new Status(this.#root.querySelector('.status'), words.BOARD.askStaff);

  constructor() {
    this.clear();
  }

  take(_name, data, now) {
    const id = textOf(data.order_id);
    const status = textOf(data.status);
    const known = this.#orders.get(id);
    if (id === '' || status === '' || known?.status === status) return;
    if (!known && LEAVES_AFTER_MS.has(status)) return; // it ended before anybody saw it here
    const order = known ?? { id, number: (this.#counter += 1), card: this.#card(id) };
    order.status = status;
    order.changedAt = momentOf(data.changed_at, now);
    order.seenAt = now;
    this.#orders.set(id, order);
    if (this.#orders.size > MOST_ORDERS) this.#orders.delete(this.#orders.keys().next().value);
    say(words.texts.order.moved(words.shortId(id), words.kioskState(status).text));
  }

  clear() {
    this.#orders.clear();
    this.render(Date.now());
  }

  tick(now) {
    for (const { id, status, seenAt } of this.#orders.values()) {
      if (now - seenAt > (LEAVES_AFTER_MS.get(status) ?? Infinity)) this.#orders.delete(id);
    }
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
    const orders = [...this.#orders.values()];
    // What may be fetched comes first.
    orders.sort((one, other) => rank(one) - rank(other) || one.number - other.number);
    for (const { card, status, changedAt, seenAt } of orders) {
      const { text, advice } = words.kioskState(status);
      setData(card, 'status', status);
      setData(card, 'new', String(now - seenAt < CHANGED_SHOWN_MS));
      setText(card.querySelector('.ticket-state'), text);
      setText(card.querySelector('.ticket-advice'), advice);
      setText(card.querySelector('.order-age'), words.formatSince(now - changedAt));
      const reached = STEPS.indexOf(status);
      [...card.querySelector('.steps').children].forEach((step, index) => setData(step, 'reached', String(index <= reached)));
    }
    arrange(this.#list, orders.map(({ card }) => card));
    setData(this.#root, 'empty', String(orders.length === 0));
    setData(this.#root, 'many', String(orders.length > 4));
  }

  #card(id) {
    const steps = make('div', 'steps', ...STEPS.map(() => make('span', '')));
    steps.setAttribute('aria-hidden', 'true');
    const card = make(
      'li', 'ticket',
      make('p', 'ticket-number', make('small', '', words.texts.order.order), ' ', make('b', '', words.shortId(id))),
      make('p', 'ticket-state'),
      make('p', 'ticket-advice'),
      steps,
      make('p', 'order-age'),
    );
    card.dataset.order = id;
    return card;
  }
}

function rank({ status }) {
  const place = ['READY', 'PREPARING', 'PLACED', 'DELIVERED', 'CANCELLED'].indexOf(status);
  return place === -1 ? 2 : place;
}
