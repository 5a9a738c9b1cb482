// What the package weighs, and that its types are those of the document.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sizes } from './size.ts';

const source = fileURLToPath(new URL('../src', import.meta.url));

test('an application does not pay much for it', async () => {
  const figures = await sizes(`import { Pulso } from './index.ts'; new Pulso({ url: 'ws://x' }).stats('a');`, source);
  const all = await sizes(`export * from './index.ts';`, source);
  console.log(JSON.stringify({ figures, all }));
  assert.ok(all.sse <= 1_620, `a stream's chunk: ${all.sse}`);
  assert.ok(figures.main <= 8_365, `figures alone: ${figures.main}`);
  assert.ok(all.main <= 8_680, `all: ${all.main}`);
});

test('the types of what travels are those of the document', () => {
  execFileSync(process.execPath, [fileURLToPath(new URL('../scripts/wire.mjs', import.meta.url)), '--check']);
});

test("the server's own page has the package as it is here", () => {
  execFileSync(process.execPath, [fileURLToPath(new URL('../scripts/page.mjs', import.meta.url)), '--check']);
});
