// Decides what is listened to for somebody, and gives what is heard to the boards. Knows no socket, and nothing of how a
// board looks.

import { notify, withdraw } from '/notices.js';
import * as words from '/words.js';

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The query's name and the key of `cocina:r-1`; a key may have colons. */
function partsOf(name) {
  const at = name.indexOf(':');
  return at === -1 ? [name] : [name.slice(0, at), name.slice(at + 1)];
}

export class Listeners {
  #boards;
  #page;

  /** `page`: `{ show(board), hide(board, isGuess), changed(board), known(negocio), remember(board, event, data, at) }`. */
  constructor(boards, page) {
    this.#boards = boards;
    this.#page = page;
  }

  /** The figures of a business. */
  figures(negocio) {
    const board = this.#boards.panel;
    let isKnown = false;
    return [`figures ${negocio}`, {
      isState: true,
      open: (client) => client.stats(negocio),
      take: (figures) => {
        if (board.take(figures)) withdraw('panel');
        // Who may see its figures may know its name.
        if (!isKnown) this.#page.known(negocio);
        isKnown = true;
        this.#page.changed('panel');
      },
      stands: (state) => board.line(state === 'conectado'),
      fail: (error) => {
        const notice = words.explainError(error);
        if (notice.lost) board.clear();
        notify('panel', notice);
      },
    }];
  }

  /** A live query, by `cocina:r-1`. */
  query(name) {
    const board = this.#boards.consultas;
    return [`query ${name}`, {
      isState: true,
      open: (client) => client.query(...partsOf(name)),
      take: (data) => {
        board.take(name, data, Date.now());
        this.#page.changed('consultas');
      },
      stands: (state, failures) => board.line(state, failures),
      fail: (error) => board.fail(name, words.explainQuery(error)),
    }];
  }

  /** What is sold in whatever businesses the token names. `isGuess`: nobody knows yet whether there are any. */
  sales(isGuess) {
    const read = ({ data, timestamp }) => isRecord(data) && { ...data, sentAt: timestamp };
    return this.#events('ventas', (client) => client.sales(), read, isGuess);
  }

  orders() {
    return this.#events('restaurante', (client) => client.orders(), ({ data }) => isRecord(data) && data);
  }

  /** What is open, by a live query whose rows have the fields of what `board` is told of a new order: what was ordered before it was there. */
  open(board, name) {
    return [`open ${board} ${name}`, {
      isState: true,
      open: (client) => client.query(...partsOf(name)),
      take: (rows) => {
        if (!Array.isArray(rows)) return;
        this.#boards[board].takeOpen(rows.filter(isRecord), Date.now());
        this.#page.changed(board);
      },
      fail: (error) => console.warn('pulso:', name, error.message),
    }];
  }

  arrivals() {
    return this.#events('clinica', (client) => client.staff());
  }

  tickets() {
    return this.#events('kiosko', (client) => client.orders);
  }

  #events(name, open, read = (event) => event, isGuess = false) {
    const board = this.#boards[name];
    return [name, {
      open,
      take: (event) => {
        const data = read(event);
        if (!data) return;
        const now = Date.now();
        this.#page.show(name);
        board.take(event.type, data, now);
        this.#page.changed(name);
        this.#page.remember(name, event.type, data, now);
      },
      stands: (state, failures) => board.status.line(state, failures),
      missed: (since) => board.status.missed(since, Date.now()),
      fail: (error) => {
        const { text, isOffered } = words.explainChannel(error);
        board.status.refused(text);
        if (isGuess || !isOffered) this.#page.hide(name, isGuess);
      },
    }];
  }
}
