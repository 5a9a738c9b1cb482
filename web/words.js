// Owns every sentence that depends on what happened: the server's errors, refusals, ages, changes and states, in Spanish.

const number = new Intl.NumberFormat('es');
const compact = new Intl.NumberFormat('es', { notation: 'compact' });
const time = new Intl.DateTimeFormat('es', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat('es', { day: 'numeric', month: 'short', year: 'numeric' });
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

/** Why the server closed the line of `feed`, and what to do about it. */
export function explainRefusal({ code, reason }, feed) {
  const how = 'Abre el panel otra vez desde tu aplicación, o pide un enlace nuevo a quien administra el sistema.';
  if (code === 1008) {
    return { text: 'El servidor cerró la línea porque este panel pidió demasiado de una vez. Volverá a conectarse solo; si se repite, avisa a quien lo administra.', tone: 'warn' };
  }
  if (feed === 'kiosko') {
    return { text: 'Esta pantalla no está dada de alta o está desactivada. Pide a quien administra la clínica que active el dispositivo; después se conectará sola.', tone: 'error' };
  }
  if (code === 4003) {
    return { text: 'Tu usuario no puede ver los pedidos de la clínica: hace falta ser personal o administrador. Pide ese permiso a quien administra el sistema o entra con otro acceso.', tone: 'error', otherAccess: true };
  }
  if (/restaurantId/i.test(reason)) {
    return { text: `Tu acceso no dice de qué restaurante es. ${how}`, tone: 'error', otherAccess: true };
  }
  const what = /expired/i.test(reason) ? 'Tu acceso ha caducado.' : 'Tu acceso ha caducado o no es válido.';
  return { text: `${what} ${how}`, tone: 'error', otherAccess: true };
}

/** What an `error` of a live query means; `lost` = what it showed is no longer theirs to see. */
export function explainQuery(message) {
  if (/withdrawn/i.test(message)) return { text: 'Ya no tienes acceso', tone: 'bad', lost: true };
  if (/not allowed|unknown channel/i.test(message)) return { text: 'No existe o tu acceso no alcanza', tone: 'bad', lost: true };
  if (/cannot be checked/i.test(message)) return { text: 'No se puede comprobar tu acceso; se volverá a intentar', tone: 'wait' };
  if (/rows|bytes|large/i.test(message)) return { text: 'El resultado no cabe aquí: avisa a quien escribió la consulta', tone: 'bad' };
  return { text: 'No disponible por ahora; volverá sola', tone: 'wait' };
}

export const formatNumber = (value) => number.format(value);
export const formatClock = (at) => clock.format(at);
export const formatTime = (at) => time.format(at);

/** A moment or a day in the text of a column, as people say it; undefined for any other text. */
export function formatMoment(text) {
  const [, date, hours] = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})[\d:.]*(?:Z|[+-]\d{2}(?::?\d{2})?)?)?$/.exec(text) ?? [];
  if (date === undefined) return undefined;
  const at = new Date(hours === undefined ? `${date}T00:00` : text.replace(' ', 'T'));
  if (Number.isNaN(at.getTime())) return undefined;
  if (hours === undefined) return day.format(at);
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : `${day.format(at)}, ${time.format(at)}`;
}

/** The name of a query or of a column, as a title: `ventas-por-hora` is "Ventas por hora". */
export function titleOf(name) {
  const words = name.replace(/[_.-]+/g, ' ').trim();
  return words === '' ? name : words[0].toUpperCase() + words.slice(1);
}
export const countOf = (count, one, many) => `${formatNumber(count)} ${count === 1 ? one : many}`;

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

// ---- orders and sales ----

export const BOARD = {
  connecting: 'Conectando…',
  reconnecting: 'Sin línea: se está reconectando. Lo que llegue entretanto aparecerá al volver.',
  unreachable: 'No se logra abrir esta línea. Puede que el servidor se esté reiniciando o no la ofrezca; se sigue intentando.',
  refused: 'Sin acceso',
  waitingOrders: 'Al día · esperando pedidos',
  waitingSales: 'Al día · esperando ventas',
  waitingQuery: 'sin datos todavía',
  noRows: 'Sin filas por ahora',
  checkSystem: 'Compruébalo en tu sistema.',
  askStaff: 'Si tu pedido no aparece, pregunta al personal.',
  noDetail: 'Sin detalle: se pidió antes de abrir esta pantalla.',
};

export function describeMissed({ since, until }) {
  const isMoment = since !== null && until - since < 2_000;
  if (isMoment) return `Puede faltar algo de lo ocurrido hacia las ${formatClock(until)}.`;
  const span = since === null ? `antes de las ${formatClock(until)}` : `entre las ${formatClock(since)} y las ${formatClock(until)}`;
  return `Puede faltar algo de lo ocurrido ${span}.`;
}

export function formatSince(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'ahora';
  if (minutes < 60) return `hace ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `hace ${hours} h ${minutes % 60} min` : `hace ${formatNumber(Math.floor(hours / 24))} días`;
}

/** Long ids are told apart by their beginning; short ones are shown whole. */
export function shortId(id) {
  return `#${id.length <= 10 ? id : id.slice(0, 6).toUpperCase()}`;
}

const ORDER_STATES = {
  DRAFT: 'Borrador', PLACED: 'Recibido', CONFIRMED: 'Confirmado', PENDING: 'Pendiente', IN_PROGRESS: 'En cocina',
  PREPARING: 'En preparación', READY: 'Listo', SERVED: 'Servido', DELIVERED: 'Entregado', COMPLETED: 'Terminado',
  CANCELLED: 'Cancelado',
};

/** A state nobody here has heard of is shown as it is. */
const named = (names, state) => (Object.hasOwn(names, state) ? names[state] : state);

export const orderState = (state) => named(ORDER_STATES, state) || 'Sin estado';
export const itemState = (state) => (state === 'IN_PROGRESS' ? 'En curso' : named(ORDER_STATES, state));

const KIOSK_ADVICE = {
  PLACED: 'Ya lo tenemos.',
  PREPARING: 'Te avisaremos aquí cuando esté listo.',
  READY: '¡Ya puedes recogerlo!',
  DELIVERED: '¡Gracias!',
  CANCELLED: 'Si tienes dudas, pregunta al personal.',
};

export const kioskState = (state) => ({ text: orderState(state), advice: Object.hasOwn(KIOSK_ADVICE, state) ? KIOSK_ADVICE[state] : '' });

const TABLE_STATES = { occupied: 'ocupada', available: 'libre', free: 'libre', reserved: 'reservada', cleaning: 'en limpieza' };
const SALE_ACTIONS = {
  created: 'creado', updated: 'actualizado', deleted: 'eliminado', stock_updated: 'existencias actualizadas', status_changed: 'cambió de estado',
};

export const tableState = (state) => named(TABLE_STATES, state);
export const saleAction = (action) => named(SALE_ACTIONS, action);

export const NAMES_NOTHING = {
  text: 'Tu acceso no nombra ningún negocio. Las ventas aparecerán aquí si tu sistema las envía; para ver las citas, indica el negocio.',
  tone: 'info', chooseNegocio: true,
};

const SUBJECTS = { consultas: 'Consultas', panel: 'Citas', restaurante: 'Pedidos', kiosko: 'Pedidos', clinica: 'Pedidos', ventas: 'Ventas' };

/** What stands beside the name of the page. */
export const taglineOf = (boards) => (boards.length === 1 ? `${SUBJECTS[boards[0]]} al momento` : 'Al momento');
