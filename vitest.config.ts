import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { sourcesKey } from './kernels/native/build.mjs';
import { requiredByTests } from './scripts/lib/required.mjs';

const ROOT = fileURLToPath(new URL('.', import.meta.url)).replace(/\/$/, '');

/** Folders whose tests change what devices, threads, servers or the page's stores have. */
const APART =
  /^(app|kernels|scripts|components\/state|lib\/(bench|engine|experiments|gpu-check|jobs|models|server|training))\//;
/** What changes a process for whoever comes after. */
const CHANGES =
  /\bvi\.(mock|doMock|stub|spyOn|use)|\bprocess\.(env|chdir|argv)|\bglobalThis\b|\bWorker\(|\.[gs]etState\(/;

/** Test files that may follow one another in one process: loading modules anew for each is a good part of the whole. */
const together = ['components', 'lib', 'models', 'testing'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true })
    .map((path) => join(folder, String(path)))
    .filter(
      (path) =>
        /\.test\.tsx?$/.test(path) && !APART.test(path) && !CHANGES.test(readFileSync(join(ROOT, path), 'utf8')),
    ),
);

export default defineConfig({
  resolve: { alias: { '@': ROOT } },
  plugins: [requiredByTests],
  define: { STATESCOPE_SOURCES: JSON.stringify(sourcesKey()) },
  test: {
    // As many files at a time as there are cores: by default one core stays idle.
    maxWorkers: '100%',
    projects: [
      {
        extends: true,
        test: {
          name: 'apart',
          include: ['{app,components,kernels,lib,models,scripts,testing}/**/*.test.{ts,tsx}'],
          exclude: together,
        },
      },
      { extends: true, test: { name: 'together', include: together, isolate: false } },
    ],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
