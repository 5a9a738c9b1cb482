// Owns the panel of figures: the four numbers, their share, their course and what changed. What was seen is in trail.js.

import { say } from '/announcer.js';
import { setText } from '/elements.js';
import * as words from '/words.js';
import { drawShare, drawTrend } from '/boards/charts.js';
import { FIGURES, SPAN_MS, Trail } from '/boards/trail.js';

const DELTA_SHOWN_MS = 8_000;
const ANNOUNCE_EVERY_MS = 15_000;
const EVENTS_SHOWN = 40;
/** How many characters a figure has decides how large it may stand. */
const LENGTHS = [[4, 'short'], [6, 'medium'], [9, 'long'], [Infinity, 'longer']];

const $ = (id) => document.getElementById(id);

export class StatsBoard {
  #trail = new Trail();
  #updatedAt = null;
  #isConnected = false;
  #announcedAt = 0;
  #unannounced = new Map();

  constructor() {
    new ResizeObserver(() => this.#renderTrend()).observe($('tendencia'));
    $('ver-tendencia').addEventListener('click', () => {
      const trend = $('tendencia').closest('section');
      trend.scrollIntoView({ block: 'end' });
      trend.focus({ preventScroll: true });
    });
    this.clear();
  }

  /** Takes a `stats` in; false if it holds no figures. */
  take(data) {
    if (!FIGURES.every((name) => Number.isInteger(data[name]))) return false;
    const now = Date.now();
    const moved = this.#trail.record(data, now);
    this.#updatedAt = now;
    for (const card of document.querySelectorAll('[data-figure]')) {
      const name = card.dataset.figure;
      const value = card.querySelector('data');
      value.value = data[name];
      setText(value, words.formatNumber(data[name]));
      value.dataset.length = LENGTHS.find(([most]) => value.textContent.length <= most)[1];
      const delta = moved.find(([figure]) => figure === name)?.[1];
      if (delta) this.#pulse(card, delta, now);
    }
    const pending = Math.max(0, data.total_citas - data.citas_completadas - data.citas_canceladas);
    const parts = [['completadas', data.citas_completadas], ['canceladas', data.citas_canceladas], ['pendientes', pending]];
    const whole = parts.reduce((sum, [, count]) => sum + count, 0);
    for (const [name, count] of parts) {
      const figure = $(`leyenda-${name}`);
      setText(figure, words.formatNumber(count));
      setText(figure.nextElementSibling, words.formatPercent(count, whole));
    }
    drawShare($('reparto'), parts, parts.map(([name, count]) => `${words.formatNumber(count)} ${words.texts.figures.parts[name]}`).join(', '));
    this.#renderTrail();
    this.#renderAge(now);
    this.#announce(moved, now);
    return true;
  }

  /** For the title of the tab. */
  headline() {
    return this.#trail.figures ? words.texts.figures.today(words.formatNumber(this.#trail.figures.citas_hoy)) : '';
  }

  /** Whether the line to the figures stands. */
  line(isConnected) {
    this.#isConnected = isConnected;
    if (!isConnected) {
      this.#trail.lost(Date.now());
      this.#renderTrail();
    }
    this.#renderAge(Date.now());
  }

  /** The last figures stay, and say how old they are. */
  refused() {
    this.line(false);
  }

  /** All but the age was drawn when it came. */
  render(now) {
    this.#renderAge(now);
  }

  /** What moves without the server. */
  tick(now) {
    for (const badge of document.querySelectorAll('.delta[data-shown="true"]')) {
      if (now > Number(badge.dataset.until)) badge.dataset.shown = 'false';
    }
    this.#trail.forgetBefore(now - SPAN_MS);
    this.#renderAge(now);
    if (document.visibilityState === 'visible') this.#renderTrend();
  }

  #pulse(card, delta, now) {
    const badge = card.querySelector('.delta');
    setText(badge, words.signedShort(delta));
    badge.dataset.until = now + DELTA_SHOWN_MS;
    badge.dataset.shown = 'true';
    card.classList.remove('moved');
    void card.offsetWidth; // restarts the animation when a figure moves again before it ended
    card.classList.add('moved');
  }

  clear() {
    this.#trail = new Trail();
    this.#updatedAt = null;
    this.#unannounced = new Map();
    for (const value of document.querySelectorAll('[data-figure] data')) {
      value.removeAttribute('value');
      setText(value, '—');
    }
    for (const badge of document.querySelectorAll('.delta')) badge.dataset.shown = 'false';
    for (const figure of document.querySelectorAll('.legend b')) {
      setText(figure, '—');
      setText(figure.nextElementSibling, '');
    }
    drawShare($('reparto'), [['completadas', 0]], words.texts.figures.none);
    this.#renderTrail();
    this.#renderAge(Date.now());
  }

  /** Screen readers hear sums now and then instead of every single push. */
  #announce(moved, now) {
    for (const [figure, delta] of moved) this.#unannounced.set(figure, (this.#unannounced.get(figure) ?? 0) + delta);
    if (this.#unannounced.size === 0 || now - this.#announcedAt < ANNOUNCE_EVERY_MS) return;
    const said = [...this.#unannounced].filter(([, delta]) => delta !== 0);
    say(said.map(([figure, delta]) => words.describeChange(figure, delta)).join(', '));
    this.#unannounced = new Map();
    this.#announcedAt = now;
  }

  #renderAge(now) {
    const seconds = this.#updatedAt === null ? null : Math.max(0, Math.floor((now - this.#updatedAt) / 1000));
    setText($('actualizado'), words.formatAge(seconds));
    $('panel').dataset.fresh = String(this.#isConnected && this.#updatedAt !== null);
  }

  #renderTrail() {
    const rows = $('historial');
    const newest = this.#trail.events[0];
    if (rows.newest !== newest) {
      rows.newest = newest;
      rows.replaceChildren(...this.#trail.events.slice(0, EVENTS_SHOWN).map(eventRow));
    }
    rows.hidden = this.#trail.events.length === 0;
    $('historial-vacio').hidden = this.#trail.events.length > 0;
    $('clave-hueco').hidden = this.#trail.gaps.length === 0;
    this.#renderTrend();
  }

  #renderTrend() {
    const now = Date.now();
    setText($('ventana'), words.formatSpan(this.#trail.windowMs(now)));
    drawTrend($('tendencia'), this.#trail, now);
  }
}

function eventRow(event) {
  const row = document.createElement('li');
  const time = document.createElement('time');
  time.dateTime = new Date(event.at).toISOString();
  time.textContent = words.formatClock(event.at);
  const what = document.createElement('span');
  const parts = event.line
    ? [['linea', words.texts.figures.line[event.line]]]
    : event.moved.map(([figure, delta]) => [figure, words.describeChange(figure, delta)]);
  for (const [kind, text] of parts) {
    const chip = document.createElement('span');
    chip.className = 'chip';
    chip.dataset.kind = kind;
    chip.textContent = text;
    const part = document.createElement('span');
    part.className = 'part';
    part.append(' · ', chip);
    what.append(part);
  }
  row.append(time, what);
  return row;
}
