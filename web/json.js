// Owns the reading of JSON without losing digits: a number that JavaScript would change (45.50, a very long id) arrives
// as the text that was sent.

/** Whether this browser shows a number's own text; in an older one 45.50 is 45.5. */
export const KEEPS_DIGITS = JSON.parse('1.0', (_key, value, context) => context?.source ?? value) === '1.0';

/** The value, or undefined if the text is not JSON. */
export function parse(text) {
  try {
    return JSON.parse(text, (_key, value, context) => {
      const changed = typeof value === 'number' && context?.source !== undefined && context.source !== String(value);
      return changed ? context.source : value;
    });
  } catch {
    return undefined;
  }
}
