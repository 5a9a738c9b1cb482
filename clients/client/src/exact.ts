// Owns the reading of JSON without losing digits: a number that JavaScript would change (45.50, a very long id) arrives as the
// text that was sent.

const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

/** The value, or undefined where the text is not JSON. */
export function parse(text: string, isExact: boolean): unknown {
  try {
    const value = JSON.parse(text);
    if (!isExact) return value;
    let hasChanged = false;
    const kept = text.replace(STRING_OR_NUMBER, (part) => {
      if (part[0] === '"' || String(+part) === part) return part;
      hasChanged = true;
      return `"${part}"`;
    });
    return hasChanged ? JSON.parse(kept) : value;
  } catch {
    return undefined;
  }
}
