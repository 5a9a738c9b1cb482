// Owns which language the page speaks, one for as long as it is loaded: what its link says (`lang`), else what its reader has
// chosen, else what the browser asks for. Spanish unless that is English.

const KEY = 'pulso.idioma';
export const LANGUAGES = { es: 'Español', en: 'English' };

const known = (text) => Object.keys(LANGUAGES).find((language) => String(text).toLowerCase().split('-')[0] === language);

function stored(storage) {
  try {
    return known(storage().getItem(KEY));
  } catch {
    // Storage may be forbidden: then a choice lasts until the page is loaded anew.
    return undefined;
  }
}

function store(storage, language) {
  try {
    storage().setItem(KEY, language);
  } catch {
    // As above.
  }
}

const said = known(new URLSearchParams(location.hash.slice(1)).get('lang'));
if (said) store(() => sessionStorage, said);

export const language = said ?? stored(() => sessionStorage) ?? stored(() => localStorage) ?? known(navigator.language) ?? 'es';
/** With the reader's own region, where it is one of this language. */
export const locale = known(navigator.language) === language ? navigator.language : language;

/** The page is loaded anew in the language that its reader wants from now on. */
export function choose(language) {
  store(() => sessionStorage, language);
  store(() => localStorage, language);
  const fragment = new URLSearchParams(location.hash.slice(1));
  fragment.delete('lang');
  history.replaceState(null, '', `${location.pathname}#${fragment}`);
  location.reload();
}
