// Many clients in one process, each on a line of its own as if it were alone, and when each means to come back.
//
//   node package_crowd.mjs FOLDER URL NEGOCIO TOKEN COUNT     FOLDER/node_modules has the package
//
// Answers each line, `{"until":…}`, when that many are live and show that figure; with the moments (in ms) for which the
// attempts since the answer before were meant.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';

const [folder, url, negocio, token, count] = process.argv.slice(2);
const { scope } = JSON.parse(readFileSync(new URL('../../clients/scope.json', import.meta.url)));
const { Pulso } = await import(pathToFileURL(join(folder, 'node_modules', scope, 'client/dist/index.js')));

let meant = [];
const figures = Array.from({ length: Number(count) }, () => {
  const pulso = new Pulso({ url, token, WebSocket, transports: ['websocket'] });
  pulso.on('status', ({ state, retryAt }) => state === 'waiting' && meant.push(Math.round(retryAt)));
  return pulso.stats(negocio);
});

for await (const line of createInterface({ input: process.stdin })) {
  const { until } = JSON.parse(line);
  while (!figures.every(({ state, latest }) => state === 'live' && latest.total_citas === until)) await pause(20);
  process.stdout.write(`${JSON.stringify({ meant })}\n`);
  meant = [];
}
process.exit();
