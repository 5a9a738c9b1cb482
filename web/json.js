// Owns the reading of JSON without losing digits: a number that JavaScript would change (a very long id) arrives as the
// text that was sent.

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
