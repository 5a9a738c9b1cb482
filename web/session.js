// Owns who this tab is signed in as: the fragment, the tab's storage and the address bar.
// Knows nothing of sockets or of the page. The token is never left in the address bar, and the query string is never read.

const KEY = 'pulso.acceso';
let remembered = null;

function load() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(KEY));
    if (typeof stored?.negocio === 'string' && typeof stored?.token === 'string') return stored;
  } catch {
    // Storage may be forbidden, or hold somebody else's text: memory serves until the tab is reloaded.
  }
  return remembered;
}

export function signIn(negocio, token) {
  remembered = { negocio, token };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(remembered));
  } catch {
    // As above.
  }
  showInAddress(negocio);
  return remembered;
}

/** Forgets the token; the negocio may stay in the address for the next sign-in. */
export function forget(negocio = '') {
  remembered = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // As above.
  }
  showInAddress(negocio);
}

/** What the address and the tab's memory say now: `{ negocio, token }`, either of them possibly empty. */
export function read() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const negocio = (fragment.get('negocio') ?? '').trim();
  const token = (fragment.get('token') ?? '').trim();
  if (negocio && token) return signIn(negocio, token);
  if (fragment.has('token') || location.search) showInAddress(negocio);
  if (token) return { negocio, token };

  const stored = load();
  if (stored && (!negocio || negocio === stored.negocio)) {
    showInAddress(stored.negocio);
    return stored;
  }
  return { negocio, token: '' };
}

function showInAddress(negocio) {
  const fragment = negocio ? `#${new URLSearchParams({ negocio })}` : '';
  // A query string means nothing here, and whatever somebody put there has no place in the history either.
  if (location.hash !== fragment || location.search) {
    history.replaceState(null, '', location.pathname + fragment);
  }
}
