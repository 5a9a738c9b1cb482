// Owns the boards of live queries: a card for each channel that the address names, whatever query an operator has written.
// How a result is drawn is result.js's.

import { say } from '/announcer.js';
import { make, setData } from '/elements.js';
import * as words from '/words.js';
import { Result } from '/boards/result.js';
import { Status } from '/boards/status.js';

const ANNOUNCE_EVERY_MS = 15_000;

const $ = (id) => document.getElementById(id);

/** The query's name and the key of `cocina:r-1`; a key may have colons. */
function partsOf(name) {
  const at = name.indexOf(':');
  return at === -1 ? { query: name, key: '' } : { query: name.slice(0, at), key: name.slice(at + 1) };
}

export class QueriesBoard {
  #root = $('consultas');
  #cards = [];
  #state = ['conectando', 0];

  /** Shows a card for each of `names` (`cocina:r-1`), and what they showed already goes on. */
  show(names) {
    const old = new Map(this.#cards.map((card) => [card.name, card]));
    const queries = names.map((name) => partsOf(name).query);
    this.#cards = [...new Set(names)].map((name) => {
      const { query } = partsOf(name);
      const isOneOfSeveral = queries.filter((one) => one === query).length > 1;
      return old.get(name) ?? new Card(name, isOneOfSeveral);
    });
    this.#root.replaceChildren(...this.#cards.map(({ node }) => node));
    for (const card of this.#cards) card.status.line(...this.#state);
  }

  /** Takes the newest result of `name`. */
  take(name, data, now) {
    this.#find(name)?.take(data, now);
  }

  /** What is wrong with `name`. */
  fail(name, trouble) {
    this.#find(name)?.fail(trouble);
  }

  line(state, failures) {
    this.#state = [state, failures];
    for (const card of this.#cards) card.status.line(state, failures);
    this.render(Date.now());
  }

  refused() {
    for (const { status } of this.#cards) status.refused();
  }

  clear() {
    this.show([]);
  }

  tick(now) {
    for (const card of this.#cards) card.announce(now);
    this.render(now);
  }

  headline() {
    return '';
  }

  render(now) {
    for (const card of this.#cards) card.render(now, this.#state[0] === 'conectado');
  }

  #find(name) {
    return this.#cards.find((card) => card.name === name);
  }
}

class Card {
  #result = new Result();
  #updatedAt = null;
  #announcedAt = 0;
  #unannounced = new Map();
  #title;

  constructor(name, showsKey) {
    const { query, key } = partsOf(name);
    this.name = name;
    this.#title = words.titleOf(query);
    const title = make('h2', '', this.#title);
    if (showsKey) title.append(' ', make('small', '', words.shortId(key)));
    const state = make('p', 'status');
    this.status = new Status(state);
    this.node = make('article', 'card view query', make('header', 'view-head', title, state), this.#result.node);
    this.node.dataset.query = query;
    this.node.dataset.channel = name;
    this.node.setAttribute('aria-label', this.#title);
    this.render(Date.now(), false);
  }

  take(data, now) {
    this.status.trouble(null);
    this.#updatedAt = now;
    for (const [column, text] of this.#result.take(data)) this.#unannounced.set(column, text);
  }

  /** What stands there stays, unless it is no longer for the eyes of who looks. */
  fail({ tone, text, lost }) {
    if (lost) {
      this.#result.clear();
      this.#updatedAt = null;
    }
    this.status.trouble({ tone, text });
  }

  /** Screen readers hear the newest of what changed, now and then. */
  announce(now) {
    if (this.#unannounced.size === 0 || now - this.#announcedAt < ANNOUNCE_EVERY_MS) return;
    say(`${this.#title}: ${[...this.#unannounced].map(([column, text]) => `${column} ${text}`).join(', ')}`);
    this.#unannounced.clear();
    this.#announcedAt = now;
  }

  render(now, isConnected) {
    const seconds = this.#updatedAt === null ? null : Math.max(0, Math.floor((now - this.#updatedAt) / 1000));
    this.status.news(seconds === null ? words.BOARD.waitingQuery : words.formatAge(seconds));
    setData(this.node, 'fresh', String(isConnected && seconds !== null && !this.status.isTroubled));
    setData(this.node, 'empty', String(this.#updatedAt === null));
    this.#result.draw();
  }
}
