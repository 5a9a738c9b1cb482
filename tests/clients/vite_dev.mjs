// Vite's own development server for an application, until its input ends. Prints where it is, as {"url":…}.
//
//   node vite_dev.mjs <the application's folder>

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder] = process.argv.slice(2);
process.chdir(folder);
const { createServer } = await import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve('vite')));
const server = await createServer({ root: folder, logLevel: 'silent', server: { host: '127.0.0.1', port: 0 } });
await server.listen();
process.stdout.write(`${JSON.stringify({ url: server.resolvedUrls.local[0] })}\n`);
process.stdin.resume().on('end', async () => {
  await server.close();
  process.exit(0);
});
