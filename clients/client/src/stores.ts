// Owns where positions are kept beyond the memory of a page. What is forbidden, full or edited by hand is passed over: then they
// are in memory alone.

import type { CursorStore } from './types.js';

function kept(storage: () => Storage, prefix: string): CursorStore {
  return {
    read: (key) => storage().getItem(prefix + key),
    write: (key, value) => storage().setItem(prefix + key, value),
    remove: (key) => storage().removeItem(prefix + key),
  };
}

/** For as long as this tab is there, also when it is loaded anew. */
export const tab = (key = 'pulso'): CursorStore => kept(() => sessionStorage, `${key}.`);
/** Beyond the tab. */
export const local = (key = 'pulso'): CursorStore => kept(() => localStorage, `${key}.`);
