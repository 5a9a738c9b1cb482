// Owns what this tab has seen on each line, so that a reload neither empties a board nor misses what happens meanwhile.
// It is kept in the tab only, is bounded, and is forgotten with the access.

import { Cursor } from '/cursor.js';

const PREFIX = 'pulso.visto.';
const MOST_EVENTS = 400;
const MOST_CHARACTERS = 400_000;
const KEEP_EVERY_MS = 5_000;

const isEvent = (kept) => Array.isArray(kept) && typeof kept[1] === 'object' && kept[1] !== null && Number.isFinite(kept[2]);

/** The events of one line, for one owner of it. */
export class Recall {
  cursor = new Cursor();
  #key;
  #owner;
  #events = [];
  #isDirty = false;

  /** What was kept under `name` for the same `owner`, or nothing yet. */
  constructor(name, owner) {
    this.#key = PREFIX + name;
    this.#owner = owner;
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key));
      if (kept?.owner === owner && Array.isArray(kept.events)) {
        this.#events = kept.events.filter(isEvent);
        this.cursor.take(kept.last);
      }
    } catch {
      // Storage may be forbidden, or hold somebody else's text: the board begins empty.
    }
    live.add(this);
  }

  add(event, data, at) {
    this.#events.push([event, data, at]);
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
    this.#isDirty = true;
  }

  /** Tells `take` all that was seen, in order, with the time at which it was. */
  tell(take) {
    for (const [event, data, at] of this.#events) take(event, data, at);
  }

  keep() {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      let text = this.#text();
      while (text.length > MOST_CHARACTERS && this.#events.length > 0) {
        this.#events.splice(0, Math.ceil(this.#events.length / 2));
        text = this.#text();
      }
      sessionStorage.setItem(this.#key, text);
    } catch {
      // As above.
    }
  }

  forget() {
    live.delete(this);
    try {
      sessionStorage.removeItem(this.#key);
    } catch {
      // As above.
    }
  }

  #text() {
    return JSON.stringify({ owner: this.#owner, last: this.cursor.last, events: this.#events });
  }
}

const live = new Set();
const keepAll = () => live.forEach((recall) => recall.keep());

setInterval(keepAll, KEEP_EVERY_MS);
window.addEventListener('pagehide', keepAll);
