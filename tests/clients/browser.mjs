// A real browser at a test's command: one JSON command per line on stdin, one JSON answer per line on stdout.
//
//   node browser.mjs [--browser chromium|firefox] [--cached] [--url BASE --negocio ID --token JWT] [--chromium /usr/bin/chromium]
//
// `--cached`: Chromium keeps the pages that one may go back to, as people's does. With the three it opens the dashboard's link
// at once. Every answer is {"ok":true,…} or {"ok":false,"error":…}; a "cmd" key in a command comes back in its answer. `id` names
// a data-testid, or else an element id. Commands:
//   {"do":"open","url":…}                                  {"do":"goto","url":…}: the same page, as if typed in the address
//   {"do":"text","id":…}                                   {"do":"visible","id":…}
//   {"do":"waitText","id":…,"equals"|"matches":…,"timeout_ms":…}
//   {"do":"waitEval","js":…,"equals":…,"timeout_ms":…}: until an expression has this value
//   {"do":"renew"}: another tab takes the place of this one; it remembers nothing, and nothing is held against it
//   {"do":"beside"}: the commands are from now on for another tab of the same person, and by the next such one for this again
//   {"do":"back"}: to the page before, as by the browser's own button
//   {"do":"fill","id":…,"text":…}  {"do":"click","id":…}  {"do":"press","key":…}  {"do":"reload"}
//   {"do":"hide"} {"do":"show"}: another tab comes to the front and goes; "real" says whether the browser itself told the
//     page. A headless one never does, then the page is told by overriding visibilityState.
//   {"do":"offline"} {"do":"online"}  {"do":"scheme","value":"dark"|"light"}  {"do":"size","width":…,"height":…}
//   {"do":"screenshot","path":…,"full":bool}  {"do":"url"}  {"do":"history"}: every address the page has had
//   {"do":"console"}: console errors, page errors and CSP violations so far
//   {"do":"requests"}: every URL asked for, of WebSockets too   {"do":"frames"}: WebSocket frames, in the direction of the page
//     Of WebSockets Chromium alone tells.
//   {"do":"serve","path":…,"type":…,"body":…|"file":…|"bundle":[…],"replace":{…}}: from now on the browser finds it on
//     another origin, which the answer names. A bundle is one module, made of these files one behind the other; files
//     are those of this folder. With "url" instead of "path" it is found there, whoever else may be asked for it.
//   {"do":"axe"}: what axe finds against WCAG 2.2 A and AA and its own best practices, as "rule: element"
//   {"do":"storage"}  {"do":"eval","js":…}  {"do":"close"}
// With "framed":true `waitEval` and `eval` are about the first frame of the page.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { chromium, firefox } from 'playwright-core';

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    negocio: { type: 'string' },
    token: { type: 'string', default: process.env.TOKEN ?? '' },
    browser: { type: 'string', default: 'chromium' },
    cached: { type: 'boolean', default: false },
    chromium: { type: 'string', default: process.env.CHROMIUM ?? '/usr/bin/chromium' },
  },
});
const PATIENCE_MS = 15_000;
const FOLDER = import.meta.dirname;

const profile = mkdtempSync(join(tmpdir(), 'pulso-browser-'));
const person = { locale: 'es-EC', viewport: { width: 1366, height: 768 } };
const launch = {
  chromium: () => chromium.launchPersistentContext(profile, {
    ...person,
    executablePath: options.chromium,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    ],
    // The first two keep hidden tabs awake, which is just what a test of hidden tabs doesn't want.
    ignoreDefaultArgs: [
      '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
      ...(options.cached ? ['--disable-back-forward-cache'] : []),
    ],
  }),
  // As Debian has it, by the protocol that browsers have in common.
  async firefox() {
    const browser = await firefox.launch({ channel: 'moz-firefox', executablePath: '/usr/bin/firefox-esr' });
    return browser.newContext(person);
  },
};
const context = await launch[options.browser]().catch((error) => {
  process.stdout.write(`${JSON.stringify({ ok: false, error: `no browser: ${error.message}` })}\n`);
  rmSync(profile, { recursive: true, force: true });
  process.exit(1);
});

const complaints = [];
const requests = [];
const frames = [];
const addresses = [];
let page = null;
let beside = null;
let cover = null;
const served = new Map();
let elsewhere = null;

async function newPage() {
  const old = page;
  await take(old ? await context.newPage() : context.pages()[0] ?? await context.newPage());
  await old?.close();
  for (const heard of [complaints, requests, frames, addresses]) heard.length = 0;
}

/** From now on the commands are for this one, and what it says is heard. */
async function take(fresh) {
  page = fresh;
  page.setDefaultTimeout(PATIENCE_MS);
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push({ kind: 'console', text: message.text() });
  });
  page.on('pageerror', (error) => complaints.push({ kind: 'page', text: String(error) }));
  page.on('request', (request) => requests.push(request.url()));
  page.on('websocket', (socket) => {
    requests.push(socket.url());
    socket.on('framesent', ({ payload }) => frames.push({ direction: 'in', text: String(payload) }));
    socket.on('framereceived', ({ payload }) => frames.push({ direction: 'out', text: String(payload) }));
  });
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame()) addresses.push(frame.url());
  });
  await page.exposeBinding('__violation', (_source, text) => complaints.push({ kind: 'csp', text }));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.__violation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
}

const find = (id) => page.locator(`[data-testid="${id}"], [id="${id}"]`).first();

async function waitText({ id, equals, matches, timeout_ms: patience = PATIENCE_MS }) {
  if (equals === undefined && matches === undefined) throw new Error('waitText needs "equals" or "matches"');
  const selector = `[data-testid="${id}"], [id="${id}"]`;
  try {
    // Polled by timer: animation frames stop in a hidden tab.
    const found = await page.waitForFunction(({ selector: where, equals: text, matches: pattern }) => {
      const seen = document.querySelector(where)?.textContent.trim();
      if (seen === undefined) return false;
      const right = text === undefined ? new RegExp(pattern, 'u').test(seen) : seen === text;
      return right ? { text: seen } : false;
    }, { selector, equals, matches }, { timeout: patience, polling: 50 });
    return await found.jsonValue();
  } catch (error) {
    const seen = await find(id).textContent({ timeout: 500 }).catch(() => null);
    throw new Error(`${id} is ${JSON.stringify(seen)}, wanted ${JSON.stringify(equals ?? matches)} within ${patience} ms (${error.name})`);
  }
}

async function evaluate({ js, framed = false }) {
  const place = framed ? page.frames()[1] : page;
  if (!place) throw new Error('there is no frame');
  return place.evaluate(js);
}

async function waitEval({ js, framed, equals, timeout_ms: patience = PATIENCE_MS }) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await evaluate({ js, framed }).catch((error) => `(${error.message})`);
    if (isDeepStrictEqual(value, equals)) return { value };
    if (Date.now() > deadline) throw new Error(`${js} is ${JSON.stringify(value)}, wanted ${JSON.stringify(equals)} within ${patience} ms`);
    await new Promise((resume) => { setTimeout(resume, 50); });
  }
}

const fileOf = (path) => readFileSync(join(FOLDER, path), 'utf8');

async function bundled(paths) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents: paths.map(fileOf).join('\n'), loader: 'tsx', resolveDir: join(FOLDER, dirname(paths[0])) },
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    charset: 'utf8',
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return outputFiles[0].text;
}

/** A server for pages that are not Pulso's: to a browser only what came over the network is from somewhere. */
async function listen() {
  const server = createServer((request, response) => {
    const found = served.get(request.url);
    response.writeHead(found ? 200 : 204, { 'content-type': found?.type ?? 'text/plain' }).end(found?.text);
  });
  await new Promise((resume) => { server.listen(0, '127.0.0.1', resume); });
  return server;
}

async function visibility(wanted, force) {
  if (force) {
    await page.evaluate((state) => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => state === 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
    }, wanted);
  }
  return page.evaluate(() => document.visibilityState);
}

const commands = {
  async open({ url }) {
    if (page && page.url() !== 'about:blank') await page.goto('about:blank');
    const response = await page.goto(url, { waitUntil: 'load' });
    return { status: response?.status() ?? null, headers: (await response?.allHeaders()) ?? {} };
  },
  async goto({ url }) {
    await page.goto(url, { waitUntil: 'load' });
  },
  text: async ({ id }) => ({ text: (await find(id).textContent()).trim() }),
  visible: async ({ id }) => ({ visible: await find(id).isVisible() }),
  waitText,
  waitEval,
  renew: () => newPage(),
  async beside() {
    const before = page;
    if (beside) page = beside;
    else await take(await context.newPage());
    beside = before;
    await page.bringToFront();
  },
  async back() {
    // A page that was kept is not loaded.
    await page.goBack({ waitUntil: 'commit' });
  },
  async fill({ id, text }) {
    await find(id).fill(text);
  },
  async click({ id }) {
    await find(id).click();
  },
  async press({ key }) {
    await page.keyboard.press(key);
  },
  async reload() {
    await page.reload({ waitUntil: 'load' });
  },
  async hide() {
    cover ??= await context.newPage();
    await cover.bringToFront();
    const real = (await visibility('hidden', false)) === 'hidden';
    return { real, state: await visibility('hidden', !real) };
  },
  async show() {
    await page.bringToFront();
    await cover?.close();
    cover = null;
    const real = !(await page.evaluate(() => Object.hasOwn(document, 'visibilityState')));
    return { real, state: await visibility('visible', !real) };
  },
  async offline() {
    await context.setOffline(true);
  },
  async online() {
    await context.setOffline(false);
  },
  async scheme({ value }) {
    await page.emulateMedia({ colorScheme: value });
  },
  async size({ width, height }) {
    await page.setViewportSize({ width, height });
  },
  async screenshot({ path, full = false }) {
    await page.screenshot({ path, fullPage: full });
    return { path };
  },
  url: async () => ({ url: page.url() }),
  async history() {
    const { entries } = await (await context.newCDPSession(page)).send('Page.getNavigationHistory');
    return { addresses, entries: entries.map(({ url }) => url) };
  },
  console: async () => ({ errors: complaints }),
  requests: async () => ({ urls: requests }),
  frames: async () => ({ frames }),
  async serve({ path, url, type = 'text/html; charset=utf-8', body = '', file, bundle, replace = {} }) {
    let text = bundle ? await bundled(bundle) : file ? fileOf(file) : body;
    for (const [from, to] of Object.entries(replace)) text = text.replaceAll(from, to);
    if (url) {
      await context.route(url, (route) => route.fulfill({ contentType: type, body: text }));
      return { url };
    }
    elsewhere ??= await listen();
    served.set(path, { type, text });
    return { url: `http://localhost:${elsewhere.address().port}${path}` };
  },
  storage: async () => ({ session: await page.evaluate(() => ({ ...sessionStorage })), local: await page.evaluate(() => ({ ...localStorage })) }),
  async axe() {
    // Not as a script of the page, whose policy would refuse it.
    if (!await page.evaluate(() => 'axe' in window)) await page.evaluate(fileOf('node_modules/axe-core/axe.min.js'));
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
    return { found: violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`)) };
  },
  eval: async (command) => ({ value: await evaluate(command) }),
};

// The end of the input and a signal may come together: only the first may tidy up, or the browser writes on behind it.
let finishing = false;
async function finish(code) {
  if (finishing) return;
  finishing = true;
  await context.close().catch(() => {});
  await context.browser()?.close().catch(() => {});
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit(code);
}
const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => finish(1));
await newPage();
if (options.url && options.negocio) {
  const fragment = new URLSearchParams({ negocio: options.negocio, token: options.token });
  await page.goto(`${options.url.replace(/\/$/, '')}/#${fragment}`, { waitUntil: 'load' })
    .catch((error) => complaints.push({ kind: 'page', text: error.message }));
}
answer({ ok: true, ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  let command = {};
  try {
    command = JSON.parse(line);
    const echo = command.cmd === undefined ? {} : { cmd: command.cmd };
    if (command.do === 'close') {
      answer({ ok: true, ...echo });
      break;
    }
    if (!Object.hasOwn(commands, command.do)) throw new Error(`unknown command ${JSON.stringify(command.do)}`);
    answer({ ok: true, ...echo, ...(await commands[command.do](command)) });
  } catch (error) {
    answer({ ok: false, cmd: command?.cmd, error: error.message });
  }
}
await finish(0);
