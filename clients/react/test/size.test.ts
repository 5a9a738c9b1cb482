// What an application pays for the package beside @pulso/client: minified by esbuild, gzip -9, without the imports that it has anyway.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const MOST = 1_200;

test('an application does not pay much for it', async () => {
  const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, external: ['react', '@pulso/client'],
  });
  const code = outputFiles[0]!.text.replace(/import\{[^}]*\}from"[^"]*";/g, '');
  assert.ok(!code.includes('import{'), code);
  const size = gzipSync(code, { level: 9 }).length;
  console.log(JSON.stringify({ size }));
  assert.ok(size <= MOST, `${size} bytes`);
});
