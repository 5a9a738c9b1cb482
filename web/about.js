// Owns what the server says to the page itself: the currency that it sells in, and what businesses are called. All of it may be
// missing, and then nothing is the worse for it.

const PATIENCE_MS = 3_000;

async function ask(address, headers = {}) {
  try {
    const answer = await fetch(address, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer.ok ? await answer.json() : {};
  } catch {
    return {};
  }
}

/** An ISO 4217 code, or undefined. */
export const { currency } = await ask('/page.json');

const names = new Map();

/** What a business is called, as whoever holds `token` may know; undefined where nobody says so. */
export function nameOf(negocio, token) {
  const key = JSON.stringify([negocio, token]);
  if (!names.has(key)) {
    const address = `/page/name?${new URLSearchParams({ negocio })}`;
    names.set(key, ask(address, { authorization: `Bearer ${token}` }).then(({ name }) => (typeof name === 'string' && name !== '' ? name : undefined)));
  }
  return names.get(key);
}
