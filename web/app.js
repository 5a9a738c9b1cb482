// Decides what is shown: from what the bearer may see follow the boards, and what is listened to for them.

import { nameOf } from '/about.js';
import { hush } from '/announcer.js';
import { readClaims } from '/claims.js';
import { setData, setText } from '/elements.js';
import { choose, language, LANGUAGES } from '/language.js';
import { Line } from '/line.js';
import { Listeners } from '/listeners.js';
import { notify, withdraw, withdrawAll } from '/notices.js';
import { kiosk, Pulso } from '/pulso/client.js';
import { Recall } from '/recall.js';
import * as session from '/session.js';
import * as words from '/words.js';
import { ClinicBoard } from '/boards/clinic.js';
import { KioskBoard } from '/boards/kiosk.js';
import { QueriesBoard } from '/boards/consultas.js';
import { RestaurantBoard } from '/boards/restaurant.js';
import { SalesBoard } from '/boards/sales.js';
import { StatsBoard } from '/boards/stats.js';

const RENDER_WITHIN_MS = 40;
/** What is fed by which line. */
const FED_BY = { acceso: ['panel', 'consultas', 'restaurante', 'clinica', 'ventas'], kiosko: ['kiosko'] };

const $ = (id) => document.getElementById(id);
words.translate(document);
const boards = {
  consultas: new QueriesBoard(),
  panel: new StatsBoard(),
  restaurante: new RestaurantBoard(),
  kiosko: new KioskBoard(),
  clinica: new ClinicBoard(),
  ventas: new SalesBoard(),
};
const PLACES = { principal: ['panel', 'restaurante', 'kiosko'], lateral: ['clinica', 'ventas'] };
const listeners = new Listeners(boards, {
  show,
  // What the server does not offer takes no room, unless nothing else is there to be seen.
  hide: (name, isGuess) => {
    if (isGuess || shown.size > 1) shown.delete(name);
    showBoards();
  },
  changed: renderSoon,
  known: showNames,
  remember: (name, event, data, at) => {
    if (name === 'ventas') withdraw('negocio');
    lines.get(FED_BY.kiosko.includes(name) ? 'kiosko' : 'acceso')?.recall.add(name, event, data, at);
  },
});

/** One for all that the token opens, and the kiosk's. */
const lines = new Map();
const shown = new Set();
const due = new Set();
let access = null;
let claims = readClaims('');
let figuresOf = '';
/** The live queries that the address names, for the next sign-in. */
let queriesOf = {};

// ---- signing in and out ----

function begin() {
  const found = session.read();
  if (!session.isAccess(found)) return askForAccess(found);
  const isSame = access && Object.keys(found).every((name) => found[name] === access[name]);
  if (isSame && [...lines.values()].some((line) => !line.isRefused)) return undefined;
  hush();
  withdrawAll();
  const isRenewed = access?.token !== found.token || lines.get('acceso')?.isRefused;
  access = found;
  claims = readClaims(found.token);
  const { token, device, consultas, abiertos, llegadas } = found;
  const negocio = found.negocio || claims.negocios[0] || '';
  const queries = session.namesIn(consultas);
  const namesNothing = token !== '' && negocio === '' && !claims.restaurant && !claims.isStaff;
  const isWaiting = namesNothing && queries.length === 0;

  $('entrada').hidden = true;
  shown.clear();
  if (queries.length > 0 && token) shown.add('consultas');
  if (negocio) shown.add('panel');
  if (claims.restaurant) shown.add('restaurante');
  if (device) shown.add('kiosko');
  if (claims.isStaff) shown.add('clinica');
  if (claims.negocios.length > 0 || isWaiting) shown.add('ventas');
  showIdentity(negocio);
  showBoards();

  if (negocio !== figuresOf) boards.panel.clear();
  figuresOf = negocio;
  queriesOf = { consultas, abiertos, llegadas };

  const wanted = queries.map((name) => listeners.query(name));
  if (negocio) wanted.push(listeners.figures(negocio));
  // Where there is one business only, its sales reach every user, whatever the token names.
  if (shown.has('ventas') || claims.user) wanted.push(listeners.sales(claims.negocios.length === 0));
  if (claims.restaurant) wanted.push(listeners.orders());
  if (claims.restaurant && abiertos) wanted.push(listeners.open('restaurante', abiertos));
  if (claims.isStaff) wanted.push(listeners.arrivals());
  if (claims.isStaff && llegadas) wanted.push(listeners.open('clinica', llegadas));
  const kept = line('acceso', token && JSON.stringify(claims), wanted, (options) => new Pulso({ ...options, token }));
  if (isRenewed) kept?.renew(token);
  boards.consultas.show(queries);
  line('kiosko', device, [listeners.tickets()], (options) => kiosk({ ...options, device }));
  if (isWaiting) notify('negocio', words.NAMES_NOTHING);
  renderLine();
  return undefined;
}

function askForAccess({ negocio, token, consultas, abiertos, llegadas }) {
  queriesOf = { consultas, abiertos, llegadas };
  for (const line of lines.values()) line.close();
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
  session.signIn({ negocio, token, ...queriesOf });
  begin();
  $('contenido').focus();
});

function leave(negocio, token = '', kept = queriesOf) {
  session.forget({ negocio, ...kept });
  askForAccess({ negocio, token, ...kept });
}

$('salir').addEventListener('click', () => leave('', '', {}));
$('otro-acceso').addEventListener('click', () => leave(access?.negocio ?? ''));
$('indicar-negocio').addEventListener('click', () => leave('', access?.token));
$('reintentar').addEventListener('click', () => {
  withdraw('panel');
  lines.get('acceso')?.askAgain();
});
$('idioma').replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code, false, code === language)));
$('idioma').addEventListener('change', ({ target }) => choose(target.value));
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
 * Opens, keeps or closes the line `name` of `owner` (empty: nobody), and says what is listened to on it. One that is kept is
 * returned: the boards stay as they are and go on where they were.
 */
function line(name, owner, wanted, open) {
  const old = lines.get(name);
  const goesOn = owner !== '' && old?.recall.owner === owner;
  if (!goesOn) {
    old?.close();
    lines.delete(name);
    for (const board of FED_BY[name]) boards[board].clear();
    if (!owner) return undefined;
    lines.set(name, new Line(open, recalled(name, owner), {
      onLine: ({ state }) => onLine(name, state),
      onTrouble: (error) => onTrouble(name, error),
    }));
  }
  lines.get(name).listen(new Map(wanted));
  return goesOn ? old : undefined;
}

/** What the boards have seen before the page was loaded anew is shown again, and nobody is told of it twice. */
function recalled(name, owner) {
  const recall = new Recall(name, owner);
  recall.tell((board, event, data, at) => {
    if (!FED_BY[name].includes(board)) return;
    show(board);
    boards[board].take(event, data, at);
  });
  for (const board of Object.values(boards)) board.tick(Date.now());
  hush();
  return recall;
}

function show(name) {
  if (shown.has(name)) return;
  shown.add(name);
  showBoards();
}

function onLine(name, state) {
  if (state === 'conectado') withdraw(name);
  renderLine();
}

/** What is wrong with a line itself. */
function onTrouble(name, error) {
  const notice = words.explainLine(error, name);
  if (!notice) return;
  console.warn('pulso:', error.message);
  notify(name, notice);
  if (!notice.isRefusal) return;
  for (const board of FED_BY[name]) boards[board].refused();
  if (name === 'acceso') session.forget({ negocio: access.negocio, ...queriesOf });
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

// ---- head and places ----

function showIdentity(negocio) {
  const { identity } = words.texts;
  const [kind, id] = negocio ? [identity.negocio, negocio] : claims.restaurant ? [identity.restaurante, claims.restaurant] : ['', ''];
  setText($('identidad-clase'), kind);
  setText($('negocio'), id);
  setData($('negocio'), 'named', 'false');
  $('identidad').hidden = id === '';
  const choice = $('elegir-negocio');
  choice.hidden = claims.negocios.length < 2;
  $('negocio').hidden = !choice.hidden;
  const known = claims.negocios.includes(negocio) || !negocio ? claims.negocios : [negocio, ...claims.negocios];
  choice.replaceChildren(...(choice.hidden ? [] : known.map((one) => new Option(one, one, false, one === negocio))));
}

/** Where the id of a business stands there is its name as soon as that is known. */
function showNames(negocio) {
  const { token } = access;
  const places = claims.negocios.length < 2 ? [[$('negocio'), negocio]] : [...$('elegir-negocio').options].map((option) => [option, option.value]);
  for (const [node, id] of places) {
    nameOf(id, token).then((name) => {
      // Another business, or nobody, may stand there by now.
      if (!name || node.textContent !== id || access?.token !== token) return;
      setText(node, name);
      setData(node, 'named', 'true');
    });
  }
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
  const counted = [...lines.values()].filter(({ isRefused }) => !isRefused);
  const has = (wanted) => counted.some(({ state }) => state === wanted);
  const state = ['reconectando', 'conectando', 'conectado'].find(has) ?? 'desconectado';
  const isOffline = state !== 'conectado' && navigator.onLine === false;
  const pill = isOffline ? 'desconectado' : state;
  setData($('pastilla'), 'state', pill);
  setText($('estado'), words.STATES[pill]);
  const next = Math.min(...counted.map(({ nextTryAt }) => nextTryAt ?? Infinity));
  const seconds = Math.ceil((next - Date.now()) / 1000);
  setText($('proximo-intento'), pill === 'reconectando' && seconds > 0 && next < Infinity ? words.formatNextTry(seconds) : '');
  if (isOffline && access) notify('offline', { text: words.OFFLINE, tone: 'warn' });
  else withdraw('offline');
  const headlines = Object.keys(boards).filter((name) => shown.has(name)).map((name) => boards[name].headline());
  document.title = [...headlines.filter(Boolean), 'Pulso'].join(' · ');
}

// ---- what moves without the server ----

setInterval(() => {
  if (!access) return;
  const now = Date.now();
  for (const name of shown) boards[name].tick(now);
  renderLine();
}, 1_000);

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') for (const line of lines.values()) line.lookAgain();
});
for (const event of ['online', 'offline']) window.addEventListener(event, renderLine);
window.addEventListener('hashchange', begin);

begin();
