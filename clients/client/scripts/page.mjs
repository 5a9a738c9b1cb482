// Writes web/pulso: this package as the server's own page has it, so that the server is built without Node.js. `--check`
// only compares.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const target = path('../../../web/pulso/');

const { outputFiles } = await build({
  entryPoints: { client: path('../src/index.ts') },
  bundle: true, minify: true, splitting: true, format: 'esm', target: 'es2022', platform: 'browser', charset: 'utf8',
  banner: { js: '// Made of clients/client by `npm run page`: what is to change is changed there.' },
  chunkNames: '[name]', legalComments: 'none', outdir: target, write: false,
});
const made = new Map(outputFiles.map(({ path, text }) => [basename(path), text]));

if (process.argv.includes('--check')) {
  const kept = new Map(readdirSync(target).map((name) => [name, readFileSync(target + name, 'utf8')]));
  const other = [...new Set([...made.keys(), ...kept.keys()])].filter((name) => made.get(name) !== kept.get(name));
  if (other.length) {
    console.error(`web/pulso is not what clients/client makes: npm run page (${other.join(', ')})`);
    process.exit(1);
  }
} else {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  for (const [name, text] of made) writeFileSync(target + name, text);
}
