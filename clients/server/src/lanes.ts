/**
 * Who waits for whom: what shares a lane goes one after the other, in the order in which it came.
 *
 * Must not know what is waiting.
 */
export class Lanes<T extends { readonly lanes: readonly string[] }> {
  readonly #waiting = new Map<string, T[]>();

  /** Puts `one` behind what is there. */
  enter(one: T): void {
    for (const lane of one.lanes) {
      const waiting = this.#waiting.get(lane);
      if (waiting === undefined) this.#waiting.set(lane, [one]);
      else waiting.push(one);
    }
  }

  /** Whether nothing stands before `one`. */
  isNext(one: T): boolean {
    return one.lanes.every((lane) => this.#waiting.get(lane)?.[0] === one);
  }

  /** Who came last. */
  last(lane: string): T | undefined {
    return this.#waiting.get(lane)?.at(-1);
  }

  /** Who stands right behind `one`. */
  behind(one: T, lane: string): T | undefined {
    const waiting = this.#waiting.get(lane) ?? [];
    return waiting[waiting.indexOf(one) + 1];
  }

  /** Takes `one` out; gives those whose turn it is now. */
  leave(one: T): T[] {
    const next = new Set<T>();
    for (const lane of one.lanes) {
      const waiting = this.#waiting.get(lane) ?? [];
      const place = waiting.indexOf(one);
      if (place !== -1) waiting.splice(place, 1);
      if (waiting[0] === undefined) this.#waiting.delete(lane);
      else next.add(waiting[0]);
    }
    return [...next].filter((candidate) => this.isNext(candidate));
  }
}
