// Owns what this tab has heard on a line, and up to where, so that a reload neither empties a board nor misses what happens
// meanwhile. It is kept in the tab only, is bounded, and is forgotten with the access.

const PREFIX = 'pulso.visto.';
/** Of one board. */
const MOST_EVENTS = 400;
const MOST_CHARACTERS = 800_000;
const KEEP_EVERY_MS = 5_000;

const isEvent = (kept) => Array.isArray(kept) && typeof kept[1] === 'object' && kept[1] !== null && Number.isFinite(kept[2]);

/** What one owner of a line has heard on it. */
export class Recall {
  #key;
  owner;
  /** Of each board. */
  #events = new Map();
  #positions = null;
  #isDirty = false;

  /** What was kept under `name` for the same `owner`, or nothing yet. */
  constructor(name, owner) {
    this.#key = PREFIX + name;
    this.owner = owner;
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key));
      if (kept?.owner === owner) {
        for (const [board, events] of Object.entries(kept.events)) this.#events.set(board, events.filter(isEvent));
        this.#positions = kept.positions;
      }
    } catch {
      // Storage may be forbidden, or hold somebody else's text: the boards begin empty.
    }
    live.add(this);
  }

  /** Where the client package keeps its positions: with the events, so that neither is ahead of the other. */
  positions = {
    read: () => this.#positions,
    write: (_key, text) => {
      this.#positions = text;
      this.#isDirty = true;
    },
    remove: () => {
      this.#positions = null;
      this.#isDirty = true;
    },
  };

  add(board, event, data, at) {
    if (!this.#events.has(board)) this.#events.set(board, []);
    const events = this.#events.get(board);
    events.push([event, data, at]);
    if (events.length > MOST_EVENTS) events.shift();
    this.#isDirty = true;
  }

  /** Tells `take` all that was heard, of each board in order, with the time at which it was. */
  tell(take) {
    for (const [board, events] of this.#events) for (const [event, data, at] of events) take(board, event, data, at);
  }

  keep() {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    try {
      let text = this.#text();
      while (text.length > MOST_CHARACTERS && [...this.#events.values()].some(({ length }) => length > 0)) {
        for (const events of this.#events.values()) events.splice(0, Math.ceil(events.length / 2));
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
    return JSON.stringify({ owner: this.owner, positions: this.#positions, events: Object.fromEntries(this.#events) });
  }
}

const live = new Set();
const keepAll = () => live.forEach((recall) => recall.keep());

setInterval(keepAll, KEEP_EVERY_MS);
window.addEventListener('pagehide', keepAll);
