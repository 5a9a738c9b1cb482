// Owns the restaurant's order board: cards in columns by state. What is known of the orders lives in orders.js.

import { say } from '/announcer.js';
import { arrange, make, setData, setText } from '/elements.js';
import * as words from '/words.js';
import { Orders } from '/boards/orders.js';
import { Status } from '/boards/status.js';

const COLUMNS = ['confirmados', 'cocina', 'listos'];
const MOST_CARDS = 40;
const MOST_ITEMS_SHOWN = 14;
const DENSE_FROM = 4;
const NEW_SHOWN_MS = 20_000;
const LATE_AFTER_MS = 10 * 60_000;
const VERY_LATE_AFTER_MS = 20 * 60_000;

export class RestaurantBoard {
  #root = document.getElementById('restaurante');
  #orders = new Orders();
  #cards = new Map();
  #lastAt = null;
  status = new Status(this.#root.querySelector('.status'));

  constructor() {
    for (const name of COLUMNS) {
      this.#part(name, '.orders').addEventListener('scroll', () => this.#renderBelow(name), { passive: true });
    }
    this.clear();
  }

  take(name, data, now) {
    const change = this.#orders.take(name, data, now);
    if (!change) return;
    this.#lastAt = now;
    const { kind, order } = change;
    if (change.isNew) order.newUntil = now + NEW_SHOWN_MS;
    const number = words.shortId(order.id);
    if (kind === 'new') say(words.texts.order.arrived(number, words.countItems(order.items.size)));
    else if (kind === 'moved') say(words.texts.order.moved(number, words.orderState(order.status)));
    else say(words.texts.order.itemMoved(number, change.item.name, words.itemState(change.item.status)));
  }

  /** Takes all that is open now. Nobody is told of it: it is no news. */
  takeOpen(rows, now) {
    this.#orders.takeOpen(rows, now);
  }

  clear() {
    this.#orders.clear();
    this.#lastAt = null;
    this.render(Date.now());
  }

  tick(now) {
    this.#orders.forget(now);
    this.status.tick(now);
    this.render(now);
  }

  refused() {
    this.status.refused();
  }

  /** For the title of the tab. */
  headline() {
    return words.countOrders(this.#orders.open);
  }

  render(now) {
    const shown = new Set();
    for (const name of COLUMNS) {
      const orders = this.#orders.column(name);
      const cards = orders.slice(0, MOST_CARDS).map((order) => {
        shown.add(order.id);
        return this.#card(order, now);
      });
      arrange(this.#part(name, '.orders'), cards);
      setText(this.#part(name, '.count'), words.formatNumber(orders.length));
      const column = this.#root.querySelector(`[data-column="${name}"]`);
      setData(column, 'empty', String(orders.length === 0));
      setData(column, 'dense', String(orders.length >= DENSE_FROM));
      this.#renderBelow(name, orders.length - cards.length);
    }
    for (const id of this.#cards.keys()) if (!shown.has(id)) this.#cards.delete(id);
    this.status.news(this.#lastAt === null ? words.BOARD.waitingOrders : words.BOARD.lastChange(words.formatClock(this.#lastAt)));
  }

  #part(column, selector) {
    return this.#root.querySelector(`[data-column="${column}"] ${selector}`);
  }

  /** What lies below the edge of a column is at least counted: nobody scrolls a screen on a wall. */
  #renderBelow(column, unshown = 0) {
    const list = this.#part(column, '.orders');
    const edge = list.scrollTop + list.clientHeight;
    let below = unshown;
    if (list.scrollHeight > list.clientHeight + 1) {
      for (const card of list.children) if (card.offsetTop - list.offsetTop + card.offsetHeight / 2 > edge) below += 1;
    }
    const badge = this.#part(column, '.below');
    setText(badge, below > 0 ? words.texts.order.below(below) : '');
    setData(badge, 'shown', String(below > 0));
  }

  #card(order, now) {
    let card = this.#cards.get(order.id);
    if (!card) {
      card = make('li', 'order');
      card.dataset.order = order.id;
      card.append(
        make('div', 'order-head', make('b', 'order-number'), make('span', 'order-age')),
        make('p', 'order-note'),
        make('ul', 'items'),
      );
      card.shown = '';
      this.#cards.set(order.id, card);
    }
    const age = now - order.placedAt;
    const isDone = order.leavesAt !== null;
    setData(card, 'status', order.status);
    setData(card, 'new', String((order.newUntil ?? 0) > now));
    setData(card, 'done', String(isDone));
    setData(card, 'late', isDone || order.column === 'listos' || age < LATE_AFTER_MS ? 'no' : age < VERY_LATE_AFTER_MS ? 'yes' : 'very');
    setText(card.querySelector('.order-age'), words.formatSince(age));
    // The rest changes with an event only.
    const content = JSON.stringify([order.status, order.session, order.placedAt, [...order.items]]);
    if (card.shown === content) return card;
    card.shown = content;
    setText(card.querySelector('.order-number'), words.shortId(order.id));
    const session = order.session ? ` · ${words.texts.order.session(words.shortId(order.session))}` : '';
    setText(card.querySelector('.order-note'), `${words.orderState(order.status)} · ${words.formatTime(order.placedAt)}${session}`);
    const items = [...order.items].slice(0, MOST_ITEMS_SHOWN).map(([id, item]) => this.#item(id, item));
    const left = order.items.size - items.length;
    if (left > 0) items.push(make('li', 'hint', words.texts.order.more(words.countItems(left))));
    if (!order.isDetailed) items.push(make('li', 'hint', words.BOARD.noDetail));
    card.querySelector('.items').replaceChildren(...items);
    return card;
  }

  #item(id, item) {
    const row = make(
      'li', 'item',
      make('b', 'quantity', item.quantity || '1'),
      make('span', 'item-name', item.name || words.texts.order.nameless),
      make('span', 'item-state', words.itemState(item.status)),
    );
    if (item.notes) row.append(make('span', 'item-notes', item.notes));
    row.dataset.item = id;
    row.dataset.status = item.status;
    return row;
  }
}
