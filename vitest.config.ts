import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { sourcesKey } from './kernels/native/build.mjs';

export default defineConfig({
  resolve: { alias: { '@': fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '') } },
  define: { STATESCOPE_SOURCES: JSON.stringify(sourcesKey()) },
  test: {
    include: ['{app,components,kernels,lib,models,scripts,testing}/**/*.test.{ts,tsx}'],
    pool: 'forks',
    // As many files at a time as there are cores: by default one core stays idle.
    maxWorkers: '100%',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
