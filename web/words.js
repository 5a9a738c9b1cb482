// Owns every sentence that depends on what happened: the server's errors, refusals, ages and changes, in Spanish.

const number = new Intl.NumberFormat('es');
const compact = new Intl.NumberFormat('es', { notation: 'compact' });
const clock = new Intl.DateTimeFormat('es', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export const STATES = {
  conectado: 'Conectado',
  conectando: 'Conectando',
  reconectando: 'Reconectando',
  desconectado: 'Desconectado',
};

export const OFFLINE = 'No hay conexión a internet. El panel volverá a conectarse solo en cuanto la haya.';

/** What an `error` frame means to somebody who looks at the panel; `lost` = these figures are no longer theirs to see. */
export function explainError(message) {
  if (/not allowed/i.test(message)) {
    return {
      text: 'No tienes acceso a este negocio. Revisa que el enlace sea el correcto o pide acceso a quien lo administra.',
      tone: 'error', lost: true, retry: true,
    };
  }
  if (/withdrawn/i.test(message)) {
    return {
      text: 'Ya no tienes acceso a este negocio. Si crees que es un error, habla con quien lo administra.',
      tone: 'error', lost: true, retry: true,
    };
  }
  if (/cannot be checked/i.test(message)) {
    return { text: 'No se puede comprobar tu acceso por el momento; se volverá a intentar solo.', tone: 'warn' };
  }
  if (/not available/i.test(message)) {
    return { text: 'Los datos no están disponibles por el momento; se mostrarán en cuanto vuelvan.', tone: 'warn' };
  }
  if (/token|auth/i.test(message)) {
    return { text: 'El acceso no es válido. Abre de nuevo el enlace o pide uno nuevo.', tone: 'error', otherAccess: true };
  }
  return { text: 'El servidor no pudo atender una petición de este panel. Si se repite, avisa a quien lo administra.', tone: 'warn', retry: true };
}

/** Why the server closed the line for good (4001). */
export function explainRefusal(reason) {
  const how = 'Abre el panel otra vez desde tu aplicación, o pide un enlace nuevo a quien administra el sistema.';
  const what = /expired/i.test(reason) ? 'Tu acceso ha caducado.' : 'Tu acceso ha caducado o no es válido.';
  return { text: `${what} ${how}`, tone: 'error', otherAccess: true };
}

export const formatNumber = (value) => number.format(value);
export const formatClock = (at) => clock.format(at);

/** Rounded, but neither nothing nor everything unless it is. */
export function formatPercent(part, whole) {
  if (part <= 0 || whole <= 0) return '0 %';
  if (part >= whole) return '100 %';
  const rounded = Math.round((part / whole) * 100);
  if (rounded === 0) return '<1 %';
  return rounded === 100 ? '>99 %' : `${rounded} %`;
}

export const signed = (delta) => `${delta < 0 ? '−' : '+'}${number.format(Math.abs(delta))}`;

/** Short enough to stand beside a figure's name. */
export const signedShort = (delta) => (Math.abs(delta) < 1000 ? signed(delta) : `${delta < 0 ? '−' : '+'}${compact.format(Math.abs(delta))}`);

export function formatAge(seconds) {
  if (seconds < 60) return `actualizado hace ${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `actualizado hace ${minutes} min ${seconds % 60} s`;
  return `actualizado hace ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export const formatSpan = (ms) => (ms <= 60_000 ? 'el último minuto' : `los últimos ${ms / 60_000} minutos`);

const CHANGES = {
  citas_hoy: ['cita hoy', 'citas hoy'],
  total_citas: ['cita en total', 'citas en total'],
  citas_completadas: ['completada', 'completadas'],
  citas_canceladas: ['cancelada', 'canceladas'],
};

/** "+1 cita hoy" */
export function describeChange(figure, delta) {
  const [one, many] = CHANGES[figure];
  return `${signed(delta)} ${Math.abs(delta) === 1 ? one : many}`;
}
