// Decides what is shown: from what the bearer may see follow the lines that are opened and the boards that they feed.

import { hush } from '/announcer.js';
import { readClaims } from '/claims.js';
import { CLOSED_TOO_MANY_MESSAGES, Connection } from '/connection.js';
import { setData, setText } from '/elements.js';
import { notify, withdraw, withdrawAll } from '/notices.js';
import { business, kiosk, staff } from '/plain.js';
import { Recall } from '/recall.js';
import { room } from '/rooms.js';
import * as session from '/session.js';
import * as words from '/words.js';
import { ClinicBoard } from '/boards/clinic.js';
import { KioskBoard } from '/boards/kiosk.js';
import { QueriesBoard } from '/boards/consultas.js';
import { RestaurantBoard } from '/boards/restaurant.js';
import { SalesBoard } from '/boards/sales.js';
import { StatsBoard } from '/boards/stats.js';

const SLEPT_MS = 15_000;
const RENDER_WITHIN_MS = 40;

const $ = (id) => document.getElementById(id);
const boards = {
  consultas: new QueriesBoard(),
  panel: new StatsBoard(),
  restaurante: new RestaurantBoard(),
  kiosko: new KioskBoard(),
  clinica: new ClinicBoard(),
  ventas: new SalesBoard(),
};
const PLACES = { principal: ['panel', 'restaurante', 'kiosko'], lateral: ['clinica', 'ventas'] };

/** By the board that they feed. Quiet = nobody knows yet whether it has anything to say. */
const lines = new Map();
const shown = new Set();
const due = new Set();
let access = null;
let claims = readClaims('');
let figuresOf = '';
let consultas = '';
let lastTick = Date.now();

// ---- signing in and out ----

function begin() {
  const found = session.read();
  if (!session.isAccess(found)) return askForAccess(found);
  const isSame = access && Object.keys(found).every((name) => found[name] === access[name]);
  if (isSame && [...lines.values()].some((line) => !line.isRefused)) return undefined;
  hush();
  withdrawAll();
  access = found;
  claims = readClaims(found.token);
  const negocio = found.negocio || claims.negocios[0] || '';
  const namesNothing = found.token !== '' && negocio === '' && !claims.restaurant && !claims.isStaff;
  // Where there is one business only, its sales reach every user, whatever the token names.
  const queries = session.namesIn(found.consultas);
  const mayHearSales = found.token !== '' && (negocio !== '' || namesNothing || claims.hasUser || queries.length > 0);

  $('entrada').hidden = true;
  shown.clear();
  if (queries.length > 0 && found.token) shown.add('consultas');
  if (negocio) shown.add('panel');
  if (claims.restaurant) shown.add('restaurante');
  if (found.device) shown.add('kiosko');
  if (claims.isStaff) shown.add('clinica');
  if (claims.negocios.length > 0 || (namesNothing && queries.length === 0)) shown.add('ventas');
  showIdentity(negocio);
  showBoards();

  if (negocio !== figuresOf) boards.panel.clear();
  figuresOf = negocio;
  boards.consultas.show(queries);
  consultas = found.consultas;
  const { token, device } = found;
  line('ventas', mayHearSales, [claims.negocios], [token, negocio, consultas], () => business(token, negocio, queries), !negocio && !namesNothing && queries.length === 0);
  line('restaurante', claims.restaurant !== '', [claims.restaurant], [token], () => room(token));
  line('clinica', claims.isStaff, [claims.negocios], [token], () => staff(token));
  line('kiosko', device !== '', [device], [], () => kiosk(device));
  if (namesNothing && queries.length === 0) notify('negocio', words.NAMES_NOTHING);
  renderLine();
  return undefined;
}

function askForAccess({ negocio, token, consultas: wanted }) {
  consultas = wanted;
  for (const { connection, recall } of lines.values()) {
    connection.stop();
    recall.forget();
  }
  lines.clear();
  access = null;
  hush();
  withdrawAll();
  for (const board of Object.values(boards)) board.clear();
  shown.clear();
  showBoards();
  $('linea').hidden = true;
  $('identidad').hidden = true;
  $('entrada-negocio').value = negocio;
  $('entrada-token').value = token;
  $('entrada').hidden = false;
  (negocio ? $('entrada-token') : $('entrada-negocio')).focus();
}

$('entrada').addEventListener('submit', (event) => {
  event.preventDefault();
  const negocio = $('entrada-negocio').value.trim();
  const token = $('entrada-token').value.trim();
  if (!token) return;
  $('entrada-token').value = '';
  session.signIn({ negocio, token, consultas });
  begin();
  $('contenido').focus();
});

function leave(negocio, token = '', kept = consultas) {
  session.forget(negocio, kept);
  askForAccess({ negocio, token, consultas: kept });
}

$('salir').addEventListener('click', () => leave('', '', ''));
$('otro-acceso').addEventListener('click', () => leave(access?.negocio ?? ''));
$('indicar-negocio').addEventListener('click', () => leave('', access?.token));
$('reintentar').addEventListener('click', () => {
  withdraw('ventas');
  lines.get('ventas')?.connection.check();
});
$('elegir-negocio').addEventListener('change', ({ target }) => {
  session.signIn({ ...access, negocio: target.value });
  begin();
});
// The fragment carries the access, so a link to a part of the page must not become one.
$('saltar').addEventListener('click', (event) => {
  event.preventDefault();
  (access ? $('contenido') : $('entrada-negocio')).focus();
});

// ---- lines ----

/**
 * Opens, keeps or closes the line that feeds the board `name` (that of the sales brings the figures too). Whose events
 * they are decides whether the board may stay as it is and go on where it was; what the line is opened with, whether
 * the line may.
 */
function line(name, isWanted, whose, opening, speech, isQuiet = false) {
  const owner = JSON.stringify(whose);
  const key = JSON.stringify([owner, opening]);
  const old = lines.get(name);
  if (isWanted && old?.key === key && !old.isRefused) return;
  old?.connection.stop();
  lines.delete(name);
  const goesOn = isWanted && old?.owner === owner;
  if (!goesOn) {
    old?.recall.forget();
    boards[name].clear();
  }
  if (!isWanted) return;
  const recall = goesOn ? old.recall : recalled(name, owner);
  const opened = { owner, key, recall, state: 'conectando', nextTryAt: null, isQuiet, isRefused: false };
  opened.connection = new Connection(speech(), recall.cursor, {
    onState: (state, nextTryAt, failures) => onState(name, opened, state, nextTryAt, failures),
    onEvent: (event, data) => onEvent(name, opened, event, data),
    onMissed: (since) => boards[name].status.missed(since, Date.now()),
    onError: (message) => onError(opened, message),
    onRefused: (refusal) => onRefused(name, opened, refusal),
  });
  lines.set(name, opened);
  opened.connection.start();
}

/** What a board has seen before the page was loaded anew is shown again, and nobody is told of it twice. */
function recalled(name, owner) {
  const recall = new Recall(name, owner);
  recall.tell((event, data, at) => {
    show(name);
    boards[name].take(event, data, at);
  });
  boards[name].tick(Date.now());
  hush();
  return recall;
}

function show(name) {
  if (shown.has(name)) return;
  shown.add(name);
  showBoards();
}

function onState(name, opened, state, nextTryAt, failures) {
  Object.assign(opened, { state, nextTryAt, isRefused: false });
  boards[name].status.line(state, failures);
  if (name === 'ventas') {
    boards.panel.line(state === 'conectado');
    boards.consultas.line(state, failures);
  }
  if (name !== 'ventas' && state === 'conectado') withdraw(name);
  renderLine();
}

function onEvent(name, opened, event, data) {
  if (event === 'stats') {
    if (boards.panel.take(data)) withdraw('ventas');
    renderLine();
  } else if (event === 'consulta') {
    boards.consultas.take(data, Date.now());
    renderSoon('consultas');
  } else {
    opened.isQuiet = false;
    if (name === 'ventas') withdraw('negocio');
    show(name);
    const now = Date.now();
    boards[name].take(event, data, now);
    renderSoon(name);
    opened.recall.add(event, data, now);
  }
}

/** What arrives in a burst, as after a gap, is drawn once. */
function renderSoon(name) {
  if (due.size === 0) {
    setTimeout(() => {
      const now = Date.now();
      due.forEach((one) => boards[one].render(now));
      due.clear();
      renderLine();
    }, RENDER_WITHIN_MS);
  }
  due.add(name);
}

function onError(opened, message) {
  console.warn('pulso:', message);
  if (opened.isQuiet) return;
  const notice = words.explainError(message);
  if (notice.lost) boards.panel.clear();
  notify('ventas', notice);
}

function onRefused(name, opened, refusal) {
  opened.isRefused = refusal.final;
  if (opened.isQuiet) return;
  if (refusal.code !== CLOSED_TOO_MANY_MESSAGES) {
    boards[name].status.refused();
    if (name === 'ventas') boards.consultas.refused();
  }
  notify(name, words.explainRefusal(refusal, name));
  const withToken = [...lines].filter(([other, { isQuiet }]) => other !== 'kiosko' && !isQuiet);
  if (refusal.final && withToken.every(([, { isRefused }]) => isRefused)) session.forget(access.negocio, consultas);
  renderLine();
}

// ---- head and places ----

function showIdentity(negocio) {
  const [kind, id] = negocio ? ['Negocio', negocio] : claims.restaurant ? ['Restaurante', claims.restaurant] : ['', ''];
  setText($('identidad-clase'), kind);
  setText($('negocio'), id);
  $('identidad').hidden = id === '';
  const choice = $('elegir-negocio');
  choice.hidden = claims.negocios.length < 2;
  $('negocio').hidden = !choice.hidden;
  const known = claims.negocios.includes(negocio) || !negocio ? claims.negocios : [negocio, ...claims.negocios];
  choice.replaceChildren(...(choice.hidden ? [] : known.map((one) => new Option(one, one, false, one === negocio))));
}

function showBoards() {
  for (const name of Object.keys(boards)) $(name).hidden = !shown.has(name);
  const counts = {};
  for (const [place, names] of Object.entries(PLACES)) {
    counts[place] = names.filter((name) => shown.has(name)).length;
    $(place).hidden = counts[place] === 0;
  }
  const layout = counts.principal === 0 ? 'row' : `${counts.principal > 1 ? 'several' : 'one'}${counts.lateral > 0 ? '-beside' : ''}`;
  const isNone = counts.principal + counts.lateral === 0;
  setData(document.body, 'layout', isNone ? 'none' : layout);
  setData(document.body, 'queries', String(shown.has('consultas')));
  $('vistas').hidden = isNone;
  $('linea').hidden = shown.size === 0;
  // A kiosk is touched by guests: nothing there leads out of it.
  $('salir').hidden = access?.token === '';
  $('actualizado').hidden = !shown.has('panel');
  setText($('lema'), words.taglineOf([...shown]));
}

function renderLine() {
  const counted = [...lines.values()].filter(({ isQuiet, isRefused }) => !isQuiet && !isRefused);
  const has = (wanted) => counted.some(({ state }) => state === wanted);
  const state = ['reconectando', 'conectando', 'conectado'].find(has) ?? 'desconectado';
  const isOffline = state !== 'conectado' && navigator.onLine === false;
  const pill = isOffline ? 'desconectado' : state;
  setData($('pastilla'), 'state', pill);
  setText($('estado'), words.STATES[pill]);
  const next = Math.min(...counted.map(({ nextTryAt }) => nextTryAt ?? Infinity));
  const seconds = Math.ceil((next - Date.now()) / 1000);
  setText($('proximo-intento'), pill === 'reconectando' && seconds > 0 && next < Infinity ? `en ${seconds} s` : '');
  if (isOffline && access) notify('offline', { text: words.OFFLINE, tone: 'warn' });
  else withdraw('offline');
  const headlines = Object.keys(boards).filter((name) => shown.has(name)).map((name) => boards[name].headline());
  document.title = [...headlines.filter(Boolean), 'Pulso'].join(' · ');
}

// ---- what moves without the server ----

const forEachLine = (act) => lines.forEach(({ connection }) => act(connection));

setInterval(() => {
  const now = Date.now();
  if (now - lastTick > SLEPT_MS && document.visibilityState === 'visible') forEachLine((connection) => connection.check());
  lastTick = now;
  if (!access) return;
  for (const name of shown) boards[name].tick(now);
  renderLine();
}, 1_000);

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') return;
  lastTick = Date.now();
  forEachLine((connection) => connection.check());
});
window.addEventListener('pageshow', (event) => {
  if (event.persisted) forEachLine((connection) => connection.check(true));
});
window.addEventListener('online', () => {
  forEachLine((connection) => connection.check(true));
  renderLine();
});
window.addEventListener('offline', () => {
  forEachLine((connection) => connection.doubt());
  renderLine();
});
window.addEventListener('hashchange', begin);

begin();
