// Owns who this tab is signed in as: the fragment, the tab's storage and the address bar.
// Knows nothing of sockets or of the page. The token is never left in the address bar, and the query string is never read.

const KEY = 'pulso.acceso';
const NOBODY = { token: '', negocio: '', device: '', consultas: '', abiertos: '', llegadas: '' };
/** Live queries that one address may name. */
const MOST_QUERIES = 24;
let remembered = null;

/** The names of live queries, each `cocina:r-1`. */
export const namesIn = (consultas) => (consultas === '' ? [] : consultas.split('\n'));

function load() {
  try {
    const stored = { ...NOBODY, ...JSON.parse(sessionStorage.getItem(KEY)) };
    if (Object.keys(NOBODY).every((name) => typeof stored[name] === 'string') && isAccess(stored)) return stored;
  } catch {
    // Storage may be forbidden, or hold somebody else's text: memory serves until the tab is reloaded.
  }
  return remembered;
}

/** A token opens what it names; a kiosk's device needs none. */
export const isAccess = ({ token, device }) => token !== '' || device !== '';

export function signIn(access) {
  remembered = { ...NOBODY, ...access };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(remembered));
  } catch {
    // As above.
  }
  showInAddress(remembered);
  return remembered;
}

/** Forgets the token; what was `lookedAt`, in the form of an access, stays in the address for the next sign-in. */
export function forget(lookedAt = {}) {
  remembered = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // As above.
  }
  showInAddress({ ...NOBODY, ...lookedAt });
}

/**
 * What the address and the tab's memory say now: `{ token, negocio, device, consultas, abiertos, llegadas }`, each of them
 * possibly empty; of `consultas`, which may be several, each is a line. `abiertos` is the live query of the restaurant's orders
 * that are open, `llegadas` of the clinic's.
 */
export function read() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const said = (name) => (fragment.get(name) ?? '').trim();
  const consultas = fragment.getAll('consulta').map((name) => name.trim()).filter(Boolean).slice(0, MOST_QUERIES).join('\n');
  const found = {
    token: said('token'), negocio: said('negocio'), device: said('device') || said('device_uid'), consultas,
    abiertos: said('abiertos'), llegadas: said('llegadas'),
  };
  if (found.token) return signIn(found);

  const stored = load();
  const agrees = ['negocio', 'device'].every((name) => !found[name] || found[name] === stored?.[name]);
  // To look at something else takes no other access.
  if (stored && agrees) {
    const lookedAt = ['consultas', 'abiertos', 'llegadas'].map((name) => [name, found[name] || stored[name]]);
    return signIn({ ...stored, ...Object.fromEntries(lookedAt) });
  }
  if (found.device) return signIn(found);
  if (fragment.has('token') || location.search) showInAddress(found);
  return found;
}

function showInAddress({ negocio, device, consultas, abiertos, llegadas }) {
  const shown = Object.entries({ negocio, device, abiertos, llegadas }).filter(([, value]) => value !== '');
  shown.push(...namesIn(consultas).map((name) => ['consulta', name]));
  const fragment = shown.length > 0 ? `#${new URLSearchParams(shown)}` : '';
  // A query string means nothing here, and whatever somebody put there has no place in the history either.
  if (location.hash !== fragment || location.search) {
    history.replaceState(null, '', location.pathname + fragment);
  }
}
