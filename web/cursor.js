// Owns which events of one line were seen: the id to go on from after a gap, and which ids not to show twice.

const MOST_IDS = 1_024;

export class Cursor {
  /** The last id that came; empty = none yet, which asks the server for what happens from now on. */
  last = '';
  #seen = new Set();

  /** Remembers `id`; false if it was seen before. What has no id is always new. */
  take(id) {
    if (typeof id !== 'string' && typeof id !== 'number') return true;
    const key = String(id);
    if (key === '') return true;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    if (this.#seen.size > MOST_IDS) this.#seen.delete(this.#seen.values().next().value);
    this.last = key;
    return true;
  }
}
