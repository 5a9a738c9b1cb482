// Owns what this tab has seen lately: the points of citas_hoy, the changes and the gaps in the line. No page, no socket.

export const SPAN_MS = 10 * 60_000;
export const FIGURES = ['citas_hoy', 'total_citas', 'citas_completadas', 'citas_canceladas'];
const MOST_EVENTS = 60;
const WINDOWS_MS = [1, 2, 5, 10].map((minutes) => minutes * 60_000);

export class Trail {
  figures = null;
  since = null;
  points = [];
  changes = [];
  gaps = [];
  events = [];

  /** Takes new figures in; answers with what moved, `[[figure, delta], …]`. The first figures move nothing. */
  record(figures, at) {
    const before = this.figures;
    this.figures = Object.fromEntries(FIGURES.map((name) => [name, figures[name]]));
    this.since ??= at;
    this.connected(at);
    if (before?.citas_hoy !== figures.citas_hoy) this.points.push({ at, value: figures.citas_hoy });
    const moved = before
      ? FIGURES.map((name) => [name, figures[name] - before[name]]).filter(([, delta]) => delta !== 0)
      : [];
    if (moved.length > 0) {
      this.changes.push(at);
      this.#remember({ at, moved });
    }
    this.forgetBefore(at - SPAN_MS);
    return moved;
  }

  /** While the line is down, nobody knows whether the figures still hold. */
  lost(at) {
    const last = this.gaps.at(-1);
    if (!this.figures || (last && last.to === null)) return;
    this.gaps.push({ from: at, to: null });
    this.#remember({ at, line: 'lost' });
  }

  connected(at) {
    const last = this.gaps.at(-1);
    if (!last || last.to !== null) return;
    last.to = at;
    this.#remember({ at, line: 'back' });
  }

  forgetBefore(limit) {
    // The last point before the limit still says how high the line begins.
    while (this.points.length > 1 && this.points[1].at <= limit) this.points.shift();
    this.changes = this.changes.filter((at) => at > limit);
    this.gaps = this.gaps.filter((gap) => gap.to === null || gap.to > limit);
  }

  /** How far back a drawing should reach: a young trail is not pressed into the last corner of ten minutes. */
  windowMs(now) {
    return WINDOWS_MS.find((span) => now - (this.since ?? now) <= span) ?? SPAN_MS;
  }

  #remember(event) {
    this.events.unshift(event);
    this.events.length = Math.min(this.events.length, MOST_EVENTS);
  }
}
