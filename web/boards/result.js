// Owns how the result of a live query looks: a row as tiles, rows as a table, a number by hour as bars above it. Knows
// nothing of what any query means.

import { make, setData, setText } from '/elements.js';
import { textOf } from '/received.js';
import * as words from '/words.js';
import { drawBars } from '/boards/charts.js';

const MOST_COLUMNS = 12;
/** The column whose rows are the hours of a day. */
const HOUR = 'hora';
const DECIMAL = /^-?\d+(\.\d+)?$/;
const FRACTION = /^-?(0|[1-9]\d{0,29})\.\d{1,12}$/;
/** How many characters a value has decides how large it may stand. */
const LENGTHS = [[4, 'short'], [7, 'medium'], [12, 'long'], [Infinity, 'longer']];

const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value of any column, as text. Digits that JavaScript would lose arrive as text already. */
function shown(value) {
  if (value === null || value === undefined) return '—';
  if (typeof value === 'number') return words.formatNumber(value);
  if (typeof value === 'boolean') return words.texts.result[value ? 'yes' : 'no'];
  if (typeof value === 'string') return FRACTION.test(value) ? words.formatDecimal(value) : words.formatMoment(value) ?? textOf(value);
  return textOf(JSON.stringify(value));
}

export class Result {
  #tiles = make('dl', 'tiles');
  #bars = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  #table = make('table', 'rows');
  #nothing = make('p', 'no-rows', words.BOARD.noRows);
  #drawn = null;
  #frame = make('div', 'rows-frame', this.#table);
  /** The hour that moves is the last one; whoever has scrolled to another stays there. */
  #followsEnd = true;
  #lastEnd = 0;

  constructor() {
    this.#bars.classList.add('bars');
    this.#bars.setAttribute('role', 'img');
    this.#frame.tabIndex = 0;
    this.#frame.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#frame;
      // Where it was put by itself nobody has scrolled, though there may be more below it by now.
      this.#followsEnd = scrollTop === this.#lastEnd || scrollTop + clientHeight > scrollHeight - 4;
    }, { passive: true });
    this.node = make('div', 'result', this.#tiles, this.#bars, this.#frame, this.#nothing);
    new ResizeObserver(() => this.draw()).observe(this.node);
    this.clear();
  }

  clear() {
    this.#drawn = null;
    setData(this.node, 'form', 'none');
    this.#tiles.replaceChildren();
    this.#table.replaceChildren();
  }

  /** Shows a result; answers with what has changed of a row, as `[[name, text], …]`. */
  take(data) {
    if (Array.isArray(data)) {
      this.#takeRows(data.filter(isRecord));
      return [];
    }
    return isRecord(data) ? this.#takeRow(data) : [];
  }

  /** Draws the bars anew: they have the size of their place, and so have the rows below them. */
  draw() {
    if (!this.#drawn) return;
    drawBars(this.#bars, this.#drawn.bars, this.#drawn.label);
    if (!this.#followsEnd) return;
    this.#frame.scrollTop = this.#frame.scrollHeight;
    this.#lastEnd = this.#frame.scrollTop;
  }

  #takeRow(row) {
    const isFirst = this.node.dataset.form !== 'row';
    setData(this.node, 'form', 'row');
    this.#drawn = null;
    const columns = Object.keys(row).slice(0, MOST_COLUMNS);
    const places = [...this.#tiles.children];
    const isSame = places.length === columns.length && columns.every((column, index) => places[index].dataset.column === column);
    if (!isSame) this.#tiles.replaceChildren(...columns.map(tile));
    const changed = [];
    columns.forEach((column, index) => {
      const place = this.#tiles.children[index];
      const value = place.querySelector('dd');
      const text = shown(row[column]);
      if (value.textContent === text) return;
      if (!isFirst && isSame) {
        changed.push([words.titleOf(column), text]);
        place.classList.remove('moved');
        void place.offsetWidth; // restarts the animation when a value moves again before it ended
        place.classList.add('moved');
      }
      setText(value, text);
      setData(value, 'length', LENGTHS.find(([most]) => text.length <= most)[1]);
    });
    return changed;
  }

  #takeRows(rows) {
    const columns = rows.length > 0 ? Object.keys(rows[0]).slice(0, MOST_COLUMNS) : [];
    const isHours = columns.includes(HOUR);
    const isNumber = (column) => rows.every((row) => row[column] === null || typeof row[column] === 'number');
    const measure = isHours ? columns.find((column) => column !== HOUR && isNumber(column)) : undefined;
    setData(this.node, 'form', rows.length === 0 ? 'empty' : measure ? 'bars' : 'rows');
    this.#drawn = measure
      ? {
        bars: rows.map((row) => ({ name: shown(row[HOUR]), value: row[measure] ?? 0, text: shown(row[measure]) })),
        label: words.texts.result.byHour(words.titleOf(measure), rows.map((row) => `${shown(row[HOUR])}, ${shown(row[measure])}`).join('; ')),
      }
      : null;
    const head = make('tr', '', ...columns.map((column) => {
      const cell = make('th', '', words.titleOf(column));
      cell.scope = 'col';
      return cell;
    }));
    const body = rows.map((row) => make('tr', '', ...columns.map((column) => {
      const cell = make('td', '', shown(row[column]));
      cell.dataset.column = column;
      return cell;
    })));
    // What JavaScript would round is text, and still a number to look at.
    const numbers = columns.map((column) => rows.every((row) => row[column] === null || typeof row[column] === 'number' || DECIMAL.test(row[column])));
    for (const line of [head, ...body]) [...line.children].forEach((cell, index) => setData(cell, 'number', String(numbers[index])));
    this.#table.replaceChildren(make('thead', '', head), make('tbody', '', ...body));
    this.draw();
  }
}

function tile(column) {
  const place = make('div', 'tile', make('dt', '', words.titleOf(column)), make('dd', ''));
  place.dataset.column = column;
  return place;
}
