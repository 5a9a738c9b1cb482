// What an application pays: minified by esbuild, gzip -9.
import { build } from 'esbuild';
import { gzipSync } from 'node:zlib';

/** Bytes of each file that a bundler makes of `code`, by whether it is the stream's chunk. */
export async function sizes(code: string, resolveDir: string) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir, loader: 'ts' }, bundle: true, minify: true, format: 'esm', target: 'es2022',
    splitting: true, outdir: '/nowhere', write: false, platform: 'browser',
  });
  const size = { main: 0, sse: 0 };
  for (const { path, contents } of outputFiles) size[/sse/.test(path) ? 'sse' : 'main'] += gzipSync(contents, { level: 9 }).length;
  return size;
}
