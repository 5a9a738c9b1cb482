// A program that hears very much and comes and goes very often, and what it keeps of it.
//
//   node package_memory.mjs FOLDER URL NEGOCIO TOKEN     FOLDER/node_modules has the package
//
// Says how many messages it has heard, at each thousandth. At one of the type `mide` it takes a thousand channels and leaves them,
// and says how large its heap is.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import WebSocket from 'ws';

const [folder, url, negocio, token] = process.argv.slice(2);
const { scope } = JSON.parse(readFileSync(new URL('../../clients/scope.json', import.meta.url)));
const { Pulso } = await import(pathToFileURL(join(folder, 'node_modules', scope, 'client/dist/index.js')));
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const CHANNELS = 1_000;
const AT_A_TIME = 50;
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

/** A client says what it wants at a pace that servers allow; by a quick clock that is no time. */
const HASTE = 100;
const clock = {
  now: () => Date.now() * HASTE,
  setTimeout: (act, ms) => setTimeout(act, ms / HASTE),
  clearTimeout: (timer) => clearTimeout(timer),
};
const quiet = { pingEvery: 3_600_000, answerWithin: 3_600_000 };
const pulso = new Pulso({ url, token, WebSocket, clock, transports: ['websocket'], ...quiet });
let heard = 0;
const caja = pulso.channel(`${negocio}:caja`);
caja.on('resync', () => say({ lost: true }));
caja.on('state', (state) => say({ state }));
caja.on('value', async ({ type }) => {
  if (type === 'mide') return say(await measure());
  heard += 1;
  if (heard % 1_000 === 0) say({ heard });
});

async function measure() {
  for (let n = 0; n < CHANNELS; n += AT_A_TIME) {
    const taken = Array.from({ length: AT_A_TIME }, (_, more) => pulso.channel(`${negocio}:c${n + more}`));
    await Promise.all(taken.map((one) => new Promise((done) => one.on('state', (state) => state === 'live' && done()))));
    for (const one of taken) one.close();
  }
  // What has just happened is let go of in the turns that follow, on a busy machine in some more of them.
  let heap = Infinity;
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise((done) => setTimeout(done, 50));
    collect();
    heap = Math.min(heap, process.memoryUsage().heapUsed);
  }
  return { heap };
}
