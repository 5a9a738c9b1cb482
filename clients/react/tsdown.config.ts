import { defineConfig } from 'tsdown';

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  platform: 'neutral',
  target: 'es2022',
  dts: true,
  fixedExtension: false,
  // Hooks cannot run in a server component, and an application should not have to say so.
  banner: "'use client';",
});
