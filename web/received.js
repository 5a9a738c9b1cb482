// Owns what becomes of single values that somebody sent: text that fits, a moment that makes sense.

const MOST_CHARACTERS = 160;
const ISO_DATE = /^\d{4}-\d{2}-\d{2}[T ]/;

/** What somebody sent, as text that fits: a string or a number; anything else is nothing. */
export function textOf(value) {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') return '';
  const text = value.trim();
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}

/** When it happened by the sender's clock, unless that is nonsense or yet to come. */
export function momentOf(text, now) {
  // Of what is no ISO date a browser makes whatever it can: "x=1" is the first of January 2001.
  const at = ISO_DATE.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? now : Math.min(at, now);
}
