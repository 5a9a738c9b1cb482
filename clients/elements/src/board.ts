// Owns how values are laid out and said: tiles or a table, a note under them, and for who does not see the screen what has changed.

import type { Subscription } from '@pulso/client';
import { make } from './element.js';
import { told, wordsOf, type Language } from './words.js';

/** What changes quickly is said once it rests. */
const REST_MS = 1_000;

export type Labels = Readonly<Record<string, string>>;
type Row = Readonly<Record<string, unknown>>;

const isRow = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);
const keysOf = (value: Row, labels: Labels) => {
  const keys = Object.keys(value);
  const named = Object.keys(labels).filter((key) => keys.includes(key));
  return [...named, ...keys.filter((key) => !named.includes(key))];
};
const labelOf = (key: string, labels: Labels) => (Object.hasOwn(labels, key) ? labels[key]! : key);

function tiles(value: Row, labels: Labels, language: Language): HTMLElement {
  const list = make('dl', 'tiles');
  for (const key of keysOf(value, labels)) {
    const tile = make('div', 'tile', make('dt', 'label', labelOf(key, labels)), make('dd', 'value', told(value[key], language)));
    tile.dataset['key'] = key;
    list.append(tile);
  }
  return list;
}

function table(rows: readonly unknown[], labels: Labels, language: Language): HTMLElement {
  if (!rows.length) return make('p', 'note', wordsOf(language).nothing);
  const all = rows.map((row) => (isRow(row) ? row : { '': row }));
  const keys = keysOf(Object.assign({}, ...all) as Row, labels);
  const heads = keys.map((key) => {
    const head = make('th', 'head', labelOf(key, labels));
    head.scope = 'col';
    return head;
  });
  const lines = all.map((row) => make('tr', 'row', ...keys.map((key) => make('td', 'cell', told((row as Row)[key], language)))));
  return make('table', 'table', make('thead', 'heads', make('tr', 'row', ...heads)), make('tbody', 'rows', ...lines));
}

export class Board {
  readonly #frame = make('section', 'board');
  readonly #note = make('p', 'note');
  readonly #announcement = make('p', 'announcement');
  #said: Row = {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    shadow: ShadowRoot,
    readonly language: Language,
    readonly labels: Labels,
    name: string,
  ) {
    this.#frame.setAttribute('aria-label', name);
    // Polite: what somebody is just being read is not cut short.
    this.#announcement.setAttribute('role', 'status');
    this.#announcement.setAttribute('aria-live', 'polite');
    shadow.replaceChildren(this.#frame, this.#announcement);
  }

  /** Shows how a subscription stands; `value` is what of it is to be seen. */
  show({ state, error }: Subscription<unknown>, value: unknown): void {
    const words = wordsOf(this.language);
    this.#frame.setAttribute('part', `board is-${state}`);
    const shown = value === undefined ? [] : [Array.isArray(value) ? table(value, this.labels, this.language) : tiles(isRow(value) ? value : { '': value }, this.labels, this.language)];
    this.#note.textContent = state === 'refused' ? [words.refused, error?.message].filter(Boolean).join(': ')
      : state === 'stale' ? words.stale : value === undefined ? words.pending : '';
    this.#frame.replaceChildren(...shown, this.#note);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#announce(value), REST_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #announce(value: unknown): void {
    const now: Row = isRow(value) ? value : {};
    const changed = keysOf(now, this.labels).filter((key) => JSON.stringify(now[key]) !== JSON.stringify(this.#said[key]));
    this.#said = now;
    const said = changed.map((key) => `${labelOf(key, this.labels)}: ${told(now[key], this.language)}`);
    if (this.#note.textContent) said.push(this.#note.textContent);
    if (said.length) this.#announcement.textContent = said.join('. ');
  }
}
