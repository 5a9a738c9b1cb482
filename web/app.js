// Puts the panel together: session → connection → trail → page. The only module that touches the page's elements.

import { Connection } from '/connection.js';
import { drawShare, drawTrend } from '/charts.js';
import * as session from '/session.js';
import { FIGURES, SPAN_MS, Trail } from '/trail.js';
import * as words from '/words.js';

const DELTA_SHOWN_MS = 8_000;
const ANNOUNCE_EVERY_MS = 15_000;
const SLEPT_MS = 15_000;
const EVENTS_SHOWN = 40;

const $ = (id) => document.getElementById(id);
const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

let access = null;
let trail = new Trail();
let updatedAt = null;
let nextTryAt = null;
let state = 'conectando';
let lastTick = Date.now();
let announcedAt = 0;
let unannounced = new Map();

const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
const connection = new Connection(`${scheme}//${location.host}/ws`, {
  onState(next, at = null) {
    state = next;
    nextTryAt = at;
    if (next !== 'conectado') trail.lost(Date.now());
    renderLine();
    if (next !== 'conectado') renderTrail();
  },
  onStats: showFigures,
  onError(message) {
    const notice = words.explainError(message);
    if (notice.lost) clearFigures();
    showNotice(notice);
    console.warn('pulso:', message);
  },
  onRefused(reason) {
    session.forget(access.negocio);
    showNotice(words.explainRefusal(reason));
  },
});

// ---- signing in and out ----

function begin() {
  const found = session.read();
  if (!found.negocio || !found.token) return askForAccess(found);
  if (access?.negocio === found.negocio && access.token === found.token && state !== 'desconectado') return undefined;
  if (access?.negocio !== found.negocio) clearFigures();
  access = found;
  $('entrada').hidden = true;
  $('panel').hidden = false;
  $('linea').hidden = false;
  $('identidad').hidden = false;
  setText($('negocio'), access.negocio);
  hideNotice();
  connection.start(access);
  return undefined;
}

function askForAccess({ negocio, token }) {
  connection.stop();
  access = null;
  clearFigures();
  hideNotice();
  for (const id of ['panel', 'linea', 'identidad']) $(id).hidden = true;
  document.title = 'Pulso';
  $('entrada-negocio').value = negocio;
  $('entrada-token').value = token;
  $('entrada').hidden = false;
  (negocio ? $('entrada-token') : $('entrada-negocio')).focus();
}

$('entrada').addEventListener('submit', (event) => {
  event.preventDefault();
  const negocio = $('entrada-negocio').value.trim();
  const token = $('entrada-token').value.trim();
  if (!negocio || !token) return;
  $('entrada-token').value = '';
  session.signIn(negocio, token);
  begin();
  $('contenido').focus();
});

function leave(negocio) {
  session.forget(negocio);
  askForAccess({ negocio, token: '' });
}

$('salir').addEventListener('click', () => leave(''));
$('otro-acceso').addEventListener('click', () => leave(access?.negocio ?? ''));
$('reintentar').addEventListener('click', () => {
  hideNotice();
  connection.check();
});
// The fragment carries the access, so a link to a part of the page must not become one.
$('saltar').addEventListener('click', (event) => {
  event.preventDefault();
  (access ? $('contenido') : $('entrada-negocio')).focus();
});

// ---- figures ----

function showFigures(data) {
  if (!FIGURES.every((name) => Number.isInteger(data[name]))) return;
  const now = Date.now();
  const moved = trail.record(data, now);
  updatedAt = now;
  hideNotice();
  for (const card of document.querySelectorAll('[data-figure]')) {
    const name = card.dataset.figure;
    const value = card.querySelector('data');
    value.value = data[name];
    setText(value, words.formatNumber(data[name]));
    value.dataset.length = ['fits', 'long', 'longer'][(value.textContent.length > 6) + (value.textContent.length > 9)];
    const delta = moved.find(([figure]) => figure === name)?.[1];
    if (delta) pulse(card, delta, now);
  }
  const pending = Math.max(0, data.total_citas - data.citas_completadas - data.citas_canceladas);
  const parts = [['completadas', data.citas_completadas], ['canceladas', data.citas_canceladas], ['pendientes', pending]];
  const whole = parts.reduce((sum, [, count]) => sum + count, 0);
  for (const [name, count] of parts) {
    const figure = $(`leyenda-${name}`);
    setText(figure, words.formatNumber(count));
    setText(figure.nextElementSibling, words.formatPercent(count, whole));
  }
  drawShare($('reparto'), parts, parts.map(([name, count]) => `${words.formatNumber(count)} ${name}`).join(', '));
  document.title = `${words.formatNumber(data.citas_hoy)} hoy · Pulso`;
  renderTrail();
  renderLine();
  announce(moved, now);
}

function pulse(card, delta, now) {
  const badge = card.querySelector('.delta');
  setText(badge, words.signedShort(delta));
  badge.dataset.until = now + DELTA_SHOWN_MS;
  badge.dataset.shown = 'true';
  card.classList.remove('moved');
  void card.offsetWidth; // restarts the animation when a figure moves again before it ended
  card.classList.add('moved');
}

function clearFigures() {
  trail = new Trail();
  updatedAt = null;
  unannounced = new Map();
  for (const value of document.querySelectorAll('[data-figure] data')) {
    value.removeAttribute('value');
    setText(value, '—');
  }
  for (const badge of document.querySelectorAll('.delta')) badge.dataset.shown = 'false';
  for (const figure of document.querySelectorAll('.legend b')) {
    setText(figure, '—');
    setText(figure.nextElementSibling, '');
  }
  drawShare($('reparto'), [['completadas', 0]], 'Sin datos todavía');
  document.title = 'Pulso';
  renderTrail();
  renderLine();
}

/** Screen readers hear sums now and then instead of every single push. */
function announce(moved, now) {
  for (const [figure, delta] of moved) unannounced.set(figure, (unannounced.get(figure) ?? 0) + delta);
  if (unannounced.size === 0 || now - announcedAt < ANNOUNCE_EVERY_MS) return;
  const said = [...unannounced].filter(([, delta]) => delta !== 0);
  setText($('anuncio'), said.map(([figure, delta]) => words.describeChange(figure, delta)).join(', '));
  unannounced = new Map();
  announcedAt = now;
}

// ---- line, age, notices ----

function renderLine() {
  const offline = state !== 'conectado' && navigator.onLine === false;
  const shown = offline ? 'desconectado' : state;
  $('pastilla').dataset.state = shown;
  setText($('estado'), words.STATES[shown]);
  const seconds = nextTryAt === null ? 0 : Math.ceil((nextTryAt - Date.now()) / 1000);
  setText($('proximo-intento'), shown === 'reconectando' && seconds > 0 ? `en ${seconds} s` : '');
  const age = updatedAt === null ? 'sin datos todavía' : words.formatAge(Math.max(0, Math.floor((Date.now() - updatedAt) / 1000)));
  setText($('actualizado'), age);
  $('panel').dataset.fresh = String(state === 'conectado' && updatedAt !== null);
  if (offline) showNotice({ text: words.OFFLINE, tone: 'warn', about: 'offline' });
  else if ($('aviso-caja').dataset.about === 'offline') hideNotice();
}

function showNotice({ text, tone, retry = false, otherAccess = false, about = '' }) {
  const box = $('aviso-caja');
  box.dataset.tone = tone;
  box.dataset.about = about;
  setText($('aviso'), text);
  $('reintentar').hidden = !retry;
  $('otro-acceso').hidden = !otherAccess;
  box.hidden = false;
}

function hideNotice() {
  $('aviso-caja').hidden = true;
  $('aviso-caja').dataset.about = '';
  setText($('aviso'), '');
}

// ---- history ----

const LINE_EVENTS = { lost: 'conexión perdida', back: 'conexión recuperada' };

function eventRow(event) {
  const row = document.createElement('li');
  const time = document.createElement('time');
  time.dateTime = new Date(event.at).toISOString();
  time.textContent = words.formatClock(event.at);
  const what = document.createElement('span');
  const parts = event.line
    ? [['linea', LINE_EVENTS[event.line]]]
    : event.moved.map(([figure, delta]) => [figure, words.describeChange(figure, delta)]);
  for (const [kind, text] of parts) {
    const chip = document.createElement('span');
    chip.className = 'chip';
    chip.dataset.kind = kind;
    chip.textContent = text;
    const part = document.createElement('span');
    part.className = 'part';
    part.append(' · ', chip);
    what.append(part);
  }
  row.append(time, what);
  return row;
}

function renderTrail() {
  const rows = $('historial');
  const newest = trail.events[0];
  if (rows.newest !== newest) {
    rows.newest = newest;
    rows.replaceChildren(...trail.events.slice(0, EVENTS_SHOWN).map(eventRow));
  }
  rows.hidden = trail.events.length === 0;
  $('historial-vacio').hidden = trail.events.length > 0;
  $('clave-hueco').hidden = trail.gaps.length === 0;
  renderTrend();
}

function renderTrend() {
  const now = Date.now();
  setText($('ventana'), words.formatSpan(trail.windowMs(now)));
  drawTrend($('tendencia'), trail, now);
}

// ---- what moves without the server ----

setInterval(() => {
  const now = Date.now();
  if (now - lastTick > SLEPT_MS && document.visibilityState === 'visible') connection.check();
  lastTick = now;
  if (!access) return;
  for (const badge of document.querySelectorAll('.delta[data-shown="true"]')) {
    if (now > Number(badge.dataset.until)) badge.dataset.shown = 'false';
  }
  trail.forgetBefore(now - SPAN_MS);
  renderLine();
  if (document.visibilityState === 'visible') renderTrend();
}, 1_000);

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  lastTick = Date.now();
  connection.check();
});
window.addEventListener('pageshow', (event) => {
  if (event.persisted) connection.check();
});
window.addEventListener('online', () => {
  connection.check();
  renderLine();
});
window.addEventListener('offline', () => {
  connection.doubt();
  renderLine();
});
window.addEventListener('hashchange', begin);
new ResizeObserver(renderTrend).observe($('tendencia'));

begin();
