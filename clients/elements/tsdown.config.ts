import { defineConfig } from 'tsdown';

const all = { target: 'es2022', platform: 'neutral', fixedExtension: false } as const;

export default defineConfig([
  { ...all, entry: ['src/index.ts', 'src/define.ts'], format: ['esm', 'cjs'], dts: true },
  // For a page without a bundler: the client is bundled in.
  {
    ...all, entry: { 'pulso-elements': 'src/define.ts' }, format: ['esm'], platform: 'browser', dts: false, minify: true, clean: false,
    noExternal: ['@pulso/client'],
  },
]);
