// Owns what is read on the screen, in Spanish and in English.

export type Language = 'es' | 'en';

const SPANISH = {
  stats: 'Citas',
  citas_hoy: 'Citas de hoy',
  total_citas: 'Total de citas',
  citas_completadas: 'Completadas',
  citas_canceladas: 'Canceladas',
  pending: 'Sin datos todavía',
  stale: 'Sin conexión: estos datos pueden haber cambiado',
  refused: 'Sin acceso a estos datos',
  idle: 'En reposo',
  connecting: 'Conectando',
  connected: 'En vivo',
  waiting: 'Sin conexión, se vuelve a intentar',
  stopped: 'Detenido: hay que volver a entrar',
  yes: 'sí',
  no: 'no',
  nothing: 'Nada por aquí',
};

export type Words = typeof SPANISH;

const ENGLISH: Words = {
  stats: 'Appointments',
  citas_hoy: 'Appointments today',
  total_citas: 'All appointments',
  citas_completadas: 'Completed',
  citas_canceladas: 'Cancelled',
  pending: 'No data yet',
  stale: 'No connection: these data may have changed',
  refused: 'No access to these data',
  idle: 'At rest',
  connecting: 'Connecting',
  connected: 'Live',
  waiting: 'No connection, trying again',
  stopped: 'Stopped: sign in again',
  yes: 'yes',
  no: 'no',
  nothing: 'Nothing here',
};

/** What an element speaks: its own `lang`, or that of what it stands in; Spanish unless that is English. */
export function languageOf(element: Element): Language {
  let at: Element | null = element;
  let lang: string | null = null;
  while (at && !lang) {
    lang = at.closest('[lang]')?.getAttribute('lang') ?? null;
    const root: Node = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return /^en\b/i.test(lang ?? '') ? 'en' : 'es';
}

export const wordsOf = (language: Language): Words => (language === 'en' ? ENGLISH : SPANISH);

/** A value as it is read: a number in the language's form, its text where a number of JavaScript would have changed it. */
export function told(value: unknown, language: Language): string {
  const words = wordsOf(language);
  if (value === null || value === undefined || value === '') return '—';
  if (typeof value === 'boolean') return value ? words.yes : words.no;
  if (typeof value === 'number') return typeof Intl === 'undefined' ? String(value) : new Intl.NumberFormat(language, { maximumFractionDigits: 20 }).format(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
