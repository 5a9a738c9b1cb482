/**
 * What an answer says for itself, as far as it may be told.
 *
 * Must not know what is done about it.
 */

import { quotes } from './body.js';

export interface Spoken {
  /** The answer's word for programs. */
  word: string | undefined;
  /** To be put behind the status. */
  says: string;
}

/** What `answer` says of a call with the body `sent`; nothing where it quotes that, or `key`. */
export function spoken(answer: string, sent: string, key: string | null): Spoken {
  const { error, message } = read(answer);
  if (typeof error !== 'string' || !/^[a-z][a-z0-9_]*$/.test(error)) return { word: undefined, says: '' };
  const isTold = typeof message === 'string' && !quotes(message, sent) && (key === null || !message.includes(key));
  return { word: error, says: isTold ? ` ${error}: ${message}` : ` ${error}` };
}

function read(answer: string): { error?: unknown; message?: unknown } {
  try {
    const value: unknown = JSON.parse(answer);
    return value !== null && typeof value === 'object' ? value : {};
  } catch {
    // A proxy's page.
    return {};
  }
}
