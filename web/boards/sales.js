// Owns the ticker of a point of sale: the last events, and what was sold since this view was opened or the day began.

import { say } from '/announcer.js';
import { arrange, make, setData, setText } from '/elements.js';
import { momentOf, textOf } from '/received.js';
import * as words from '/words.js';
import { formatAmount, formatSum, Sum } from '/boards/money.js';
import { Status } from '/boards/status.js';

const MOST_EVENTS = 20;
const NEW_SHOWN_MS = 6_000;
const ANNOUNCE_EVERY_MS = 15_000;

export class SalesBoard {
  #root = document.getElementById('ventas');
  #list = this.#root.querySelector('.ticker');
  #rows = [];
  #day = '';
  #sum = new Sum();
  #sales = 0;
  #unannounced = 0;
  #announcedAt = 0;
  status = new Status(this.#root.querySelector('.status'));

  constructor() {
    this.clear();
  }

  take(name, data, now) {
    this.#beginDay(now);
    const at = momentOf(data.sentAt ?? data.timestamp, now);
    const { kind, title, detail } = describe(name, data);
    const amount = name === 'newSale' ? textOf(data.total) : '';
    if (name === 'newSale') {
      this.#sum.add(amount);
      this.#sales += 1;
      this.#unannounced += 1;
    }
    const time = make('time', '', words.formatTime(at));
    time.dateTime = new Date(at).toISOString();
    const row = make('li', 'sale', make('span', 'sale-title', title), make('b', 'amount', formatAmount(amount)), make('span', 'sale-detail', detail), time);
    row.dataset.kind = kind;
    this.#rows.unshift({ row, seenAt: now });
    this.#rows.length = Math.min(this.#rows.length, MOST_EVENTS);
  }

  clear() {
    this.#rows = [];
    this.#day = '';
    this.#beginDay(Date.now());
    this.render(Date.now());
  }

  tick(now) {
    this.#beginDay(now);
    this.status.tick(now);
    if (this.#unannounced > 0 && now - this.#announcedAt > ANNOUNCE_EVERY_MS) {
      say(words.texts.sale.inAll(words.countNewSales(this.#unannounced), this.#sumText));
      this.#unannounced = 0;
      this.#announcedAt = now;
    }
    this.render(now);
  }

  refused() {
    this.status.refused();
  }

  headline() {
    return this.#sales > 0 ? words.countSales(this.#sales) : '';
  }

  render(now) {
    setText(this.#root.querySelector('#ventas-total'), this.#sumText);
    setText(this.#root.querySelector('#ventas-cuantas'), words.countSales(this.#sales));
    for (const { row, seenAt } of this.#rows) setData(row, 'new', String(now - seenAt < NEW_SHOWN_MS));
    arrange(this.#list, this.#rows.map(({ row }) => row));
    setData(this.#root, 'empty', String(this.#rows.length === 0));
    const last = this.#rows[0];
    this.status.news(last ? words.BOARD.lastSale(words.formatClock(last.seenAt)) : words.BOARD.waitingSales);
  }

  get #sumText() {
    return formatSum(this.#sum);
  }

  #beginDay(now) {
    const day = new Date(now).toDateString();
    if (day === this.#day) return;
    this.#day = day;
    this.#sum = new Sum();
    this.#sales = 0;
    this.#unannounced = 0;
  }
}

function describe(name, data) {
  const { sale } = words.texts;
  if (name === 'newSale') {
    const table = textOf(data.tableId);
    return { kind: 'venta', title: sale.sale(words.shortId(textOf(data.saleId))), detail: table ? sale.table(table) : sale.noTable };
  }
  if (name === 'updateProduct') {
    const stock = textOf(data.newStock);
    return { kind: 'producto', title: sale.product(textOf(data.productId)), detail: stock ? sale.stock(stock) : words.saleAction(textOf(data.action)) };
  }
  if (name === 'updatePromotion') {
    const isKnown = typeof data.enabled === 'boolean';
    return {
      kind: 'promocion', title: sale.promotion(textOf(data.promotionId)),
      detail: isKnown ? (data.enabled ? sale.on : sale.off) : words.saleAction(textOf(data.action)),
    };
  }
  const status = textOf(data.status);
  return { kind: 'mesa', title: sale.table(textOf(data.tableId)), detail: status ? words.tableState(status) : words.saleAction(textOf(data.action)) };
}
