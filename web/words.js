// Owns every sentence that depends on what happened: errors, refusals, ages, changes, states, numbers and amounts, in the
// language of the page (words/).

import { language, locale } from '/language.js';
import english from '/words/en.js';
import spanish from '/words/es.js';

export const texts = { en: english, es: spanish }[language];

const number = new Intl.NumberFormat(locale);
const compact = new Intl.NumberFormat(locale, { notation: 'compact' });
const percent = new Intl.NumberFormat(locale, { style: 'percent' });
const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export const { states: STATES, offline: OFFLINE, board: BOARD } = texts;

/** What stands in the page itself is Spanish; where another language is wanted, its texts take their places. */
export function translate(root) {
  root.documentElement.lang = language;
  for (const node of texts.page ? root.querySelectorAll('[data-text]') : []) {
    const text = texts.page[node.dataset.text];
    const attribute = node.dataset.textIn;
    if (attribute) node.setAttribute(attribute, text);
    else node.textContent = text;
  }
}

// ---- what went wrong ----

/** What an error of the figures means to somebody who looks at the panel; `lost` = these are no longer theirs to see. */
export function explainError({ code }) {
  const { errors } = texts;
  if (code === 'forbidden') return { text: errors.forbidden, tone: 'error', lost: true, retry: true };
  if (code === 'withdrawn') return { text: errors.withdrawn, tone: 'error', lost: true, retry: true };
  if (code === 'unchecked') return { text: errors.unchecked, tone: 'warn' };
  if (code === 'unavailable') return { text: errors.unavailable, tone: 'warn' };
  if (code === 'feed_off') return { text: errors.feedOff, tone: 'warn' };
  return { text: errors.other, tone: 'warn', retry: true };
}

/** What an error of a line means; undefined = it will pass. `isRefusal`: nothing comes by it any more, or not for a while. */
export function explainLine({ code, closeCode, retry }, name) {
  const { line, errors } = texts;
  if (name === 'kiosko' && code === 'forbidden') return { text: line.kiosk, tone: 'error', isRefusal: true };
  if (closeCode === 1008) return { text: line.tooMuch, tone: 'warn' };
  if (code === 'unchecked') return { text: errors.unchecked, tone: 'warn' };
  if (retry && code !== 'bad_token' && code !== 'expired_token') return undefined;
  const text = { expired_token: line.expired, origin: line.origin, protocol: line.protocol }[code] ?? line.refused;
  return { text, tone: 'error', otherAccess: true, isRefusal: true };
}

/** Why a board hears nothing, in its line of state; `isOffered`: to others it may be. */
export function explainChannel({ code }) {
  return code === 'feed_off' ? { text: BOARD.notOffered, isOffered: false } : { text: BOARD.refused, isOffered: true };
}

/** What an error of a live query means; `lost` = what it showed is no longer theirs to see. */
export function explainQuery({ code }) {
  const { queries } = texts;
  if (code === 'withdrawn') return { text: queries.withdrawn, tone: 'bad', lost: true };
  if (code === 'unchecked') return { text: queries.unchecked, tone: 'wait' };
  if (code === 'too_large') return { text: queries.tooLarge, tone: 'bad' };
  if (code === 'unavailable') return { text: queries.unavailable, tone: 'wait' };
  return { text: queries.forbidden, tone: 'bad', lost: true };
}

export function describeMissed({ since, until }) {
  const { around, before, between } = texts.missed;
  if (since === null) return before(formatClock(until));
  return until - since < 2_000 ? around(formatClock(until)) : between(formatClock(since), formatClock(until));
}

// ---- numbers, moments and ages ----

export const formatNumber = (value) => number.format(value);

/** A decimal number in text, with every digit that it was sent with and at least so many decimals; `style` is Intl's. */
export function formatDecimal(text, least = 0, style = {}) {
  const decimals = Math.max(least, text.split('.')[1]?.length ?? 0);
  return new Intl.NumberFormat(locale, { ...style, minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(text);
}

export const formatClock = (at) => clock.format(at);
export const formatTime = (at) => time.format(at);
export const formatNextTry = (seconds) => texts.nextTry(seconds);

/** A moment or a day in the text of a column, as people say it; undefined for any other text. */
export function formatMoment(text) {
  const [, date, hours] = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})[\d:.]*(?:Z|[+-]\d{2}(?::?\d{2})?)?)?$/.exec(text) ?? [];
  if (date === undefined) return undefined;
  const at = new Date(hours === undefined ? `${date}T00:00` : text.replace(' ', 'T'));
  if (Number.isNaN(at.getTime())) return undefined;
  if (hours === undefined) return day.format(at);
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : `${day.format(at)}, ${time.format(at)}`;
}

/** The name of a query or of a column, as a title: `ventas-por-hora` is "Ventas por hora". */
export function titleOf(name) {
  const words = name.replace(/[_.-]+/g, ' ').trim();
  return words === '' ? name : words[0].toUpperCase() + words.slice(1);
}

const countOf = (count, [one, many]) => `${formatNumber(count)} ${count === 1 ? one : many}`;

/** Rounded, but neither nothing nor everything unless it is. */
export function formatPercent(part, whole) {
  const rounded = whole <= 0 ? 0 : Math.round((part / whole) * 100) / 100;
  if (rounded <= 0 && part > 0 && whole > 0) return `<${percent.format(0.01)}`;
  if (rounded >= 1 && part < whole) return `>${percent.format(0.99)}`;
  return percent.format(Math.max(0, rounded));
}

export const signed = (delta) => `${delta < 0 ? '−' : '+'}${number.format(Math.abs(delta))}`;

/** Short enough to stand beside a figure's name. */
export const signedShort = (delta) => (Math.abs(delta) < 1000 ? signed(delta) : `${delta < 0 ? '−' : '+'}${compact.format(Math.abs(delta))}`);

/** How old figures are; null = there are none yet. */
export function formatAge(seconds) {
  const { age } = texts;
  if (seconds === null) return age.none;
  if (seconds < 60) return age.seconds(seconds);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? age.minutes(minutes, seconds % 60) : age.hours(Math.floor(minutes / 60), minutes % 60);
}

export const formatSpan = (ms) => (ms <= 60_000 ? texts.span.minute : texts.span.minutes(ms / 60_000));

export function formatSince(ms) {
  const { since } = texts;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return since.now;
  if (minutes < 60) return since.minutes(minutes);
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? since.hours(hours, minutes % 60) : since.days(formatNumber(Math.floor(hours / 24)));
}

/** "+1 cita hoy" */
export function describeChange(figure, delta) {
  const [one, many] = texts.figures.changes[figure];
  return `${signed(delta)} ${Math.abs(delta) === 1 ? one : many}`;
}

// ---- orders and sales ----

/** Long ids are told apart by their beginning; short ones are shown whole. */
export function shortId(id) {
  return `#${id.length <= 10 ? id : id.slice(0, 6).toUpperCase()}`;
}

/** A state nobody here has heard of is shown as it is. */
const named = (names, state) => (Object.hasOwn(names, state) ? names[state] : state);

export const orderState = (state) => named(texts.order.states, state) || texts.order.noState;
export const itemState = (state) => (state === 'IN_PROGRESS' ? texts.order.itemInProgress : named(texts.order.states, state));
export const countOrders = (count) => countOf(count, texts.order.orders);
export const countItems = (count) => countOf(count, texts.order.items);
export const countSales = (count) => countOf(count, texts.sale.sales);
export const countNewSales = (count) => countOf(count, texts.sale.newSales);

export function kioskState(state) {
  const { advice } = texts.order;
  return { text: orderState(state), advice: Object.hasOwn(advice, state) ? advice[state] : '' };
}

export const tableState = (state) => named(texts.sale.tables, state);
export const saleAction = (action) => named(texts.sale.actions, action);

export const NAMES_NOTHING = { text: texts.namesNothing, tone: 'info', chooseNegocio: true };

/** What stands beside the name of the page. */
export const taglineOf = (boards) => texts.taglines[boards.length === 1 ? boards[0] : 'several'];
