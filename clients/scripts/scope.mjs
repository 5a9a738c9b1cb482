// Gives all packages another scope: `node scripts/scope.mjs @name`. The scope stands in scope.json; this changes it there and
// wherever it is written out, because a package's own code and documents cannot read it from there.

import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(home, 'scope.json');
const PACKAGES = ['client', 'server', 'react', 'angular', 'elements'];
const LEFT_OUT = new Set(['node_modules', 'dist', '.git', '.venv', 'target']);
const TEXT = /\.(m?[jt]sx?|json|md|html|css|py|toml|rs)$/;
/** Where packages are named: here, in the documents, and in the tests that install them. */
const PLACES = ['.', '../docs', '../README.md', '../README.es.md', '../tests/clients', '../tests/integration', '../web'];

const [wanted] = process.argv.slice(2);
if (!/^@[a-z0-9-][a-z0-9-._]*$/.test(wanted ?? '')) {
  console.error('usage: node scripts/scope.mjs @name');
  process.exit(2);
}
const { scope } = JSON.parse(readFileSync(file, 'utf8'));
const written = new RegExp(`${scope}/(?=(?:${PACKAGES.join('|')})\\b)`, 'g');

function change(path) {
  const kind = statSync(path, { throwIfNoEntry: false });
  if (kind?.isDirectory()) {
    for (const name of readdirSync(path)) if (!LEFT_OUT.has(name)) change(join(path, name));
  } else if (kind?.isFile() && TEXT.test(path)) {
    const text = readFileSync(path, 'utf8');
    const changed = text.replace(written, `${wanted}/`);
    if (changed !== text) {
      writeFileSync(path, changed);
      console.log(path);
    }
  }
}

for (const place of PLACES) change(join(home, place));
writeFileSync(file, `{ "scope": "${wanted}" }\n`);
