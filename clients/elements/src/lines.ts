// Owns the lines of a page: elements that name the same server and the same token share one. Knows no element.

import { Pulso } from '@pulso/client';

interface Line {
  readonly pulso: Pulso;
  holders: number;
}

const lines = new Map<string, Line>();

/**
 * Reads a token from where a page says it is: `local:<key>` and `session:<key>` are its storage, `meta:<name>` an element of its
 * head; anything else is an address of its own server, which answers with the token, bare or as `{"token": …}`.
 */
export async function tokenFrom(place: string, signal: AbortSignal): Promise<string | null> {
  const [, kind, name = ''] = /^(local|session|meta):(.*)$/s.exec(place) ?? [];
  if (kind === 'local') return localStorage.getItem(name);
  if (kind === 'session') return sessionStorage.getItem(name);
  if (kind === 'meta') return document.querySelector(`meta[name="${CSS.escape(name)}"]`)?.getAttribute('content') ?? null;
  const answer = await fetch(place, { signal, cache: 'no-store', headers: { accept: 'application/json, text/plain' } });
  if (answer.status === 401 || answer.status === 403) return null;
  if (!answer.ok) throw new Error(`${place} answers ${answer.status}`);
  const text = (await answer.text()).trim();
  if (!text.startsWith('{')) return text;
  const { token } = JSON.parse(text) as { token?: unknown };
  return typeof token === 'string' ? token : null;
}

/** A page's line to `url`, and what leaves it. */
export function join(url: string, place: string | null): { pulso: Pulso; leave: () => void } {
  const address = new URL(url, document.baseURI).href;
  const key = `${address} ${place ?? ''}`;
  let line = lines.get(key);
  if (!line) {
    const getToken = place === null ? undefined : ({ signal }: { signal: AbortSignal }) => tokenFrom(place, signal);
    line = { pulso: new Pulso({ url: address, getToken }), holders: 0 };
    lines.set(key, line);
  }
  const { pulso } = line;
  line.holders += 1;
  return {
    pulso,
    leave: () => {
      line.holders -= 1;
      // A moment later: an element that moves leaves and comes back at once.
      setTimeout(() => {
        if (line.holders || lines.get(key) !== line) return;
        lines.delete(key);
        pulso.close();
      });
    },
  };
}
