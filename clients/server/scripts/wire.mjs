// Writes the types of the hooks, from docs/openapi.yaml: `src/wire.ts` here, and `wire.py` of the Python package.
//
//   node scripts/wire.mjs            writes them
//   node scripts/wire.mjs --check    fails where they are not as this would write them

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

import { python } from './wire_python.mjs';
import { typescript } from './wire_typescript.mjs';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const { paths, components } = parse(readFileSync(join(home, '../../docs/openapi.yaml'), 'utf8'));
const { schemas, responses } = components;

const named = (ref) => ref.split('/').at(-1);

/** The schemas of what is sent to hooks, and of their answers. */
const roots = Object.values(paths)
  .map(({ post }) => post)
  .filter((post) => post?.tags.includes('hooks'))
  .flatMap(({ requestBody, responses: answers }) => {
    const answer = answers['200'].$ref ? responses[named(answers['200'].$ref)] : answers['200'];
    return [requestBody, answer].map(({ content }) => named(content['application/json'].schema.$ref));
  });

/** `names`, and what they are made of, each before what is made of it. */
function reached(names, found = new Set()) {
  for (const name of names) {
    if (found.has(name)) continue;
    const inside = [];
    JSON.stringify(schemas[name], (key, value) => {
      if (key === '$ref') inside.push(named(value));
      return value;
    });
    reached(inside, found);
    found.add(name);
  }
  return found;
}

const wanted = [...reached(roots)].map((name) => [name, schemas[name]]);
const files = [
  [join(home, 'src/wire.ts'), typescript(wanted)],
  [join(home, '../python/src/pulso/wire.py'), python(wanted)],
];
for (const [file, text] of files) {
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    console.error(`${file} is not what docs/openapi.yaml says: npm run wire`);
    process.exitCode = 1;
  }
}
