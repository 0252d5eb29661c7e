import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { sourcesKey } from '../../kernels/native/build.mjs';
import { requiredByBundles } from './required.mjs';
import { ROOT } from './root.mjs';

const ENTRIES = {
  server: 'lib/server/door/main.ts',
  worker: 'lib/server/worker.ts',
  reader: 'lib/server/readers/thread.ts',
  archive: 'lib/server/archive/thread.ts',
  'import-run': 'lib/server/import-run.ts',
  sweeps: 'lib/server/sweeps/thread.ts',
  items: 'lib/server/sweeps/items-thread.ts',
  leases: 'lib/jobs/leases-thread.ts',
  rows: 'lib/training/rows-thread.ts',
  cli: 'lib/cli/main.ts',
  'train-demo': 'lib/training/demo.ts',
  'python-client': 'lib/api/python-main.ts',
};

/** Of esbuild, for programs that Node runs outside of Next: packages stay in node_modules. @type {import('esbuild').BuildOptions} */
export const PROGRAM = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  alias: { '@': ROOT },
  plugins: [requiredByBundles],
  logLevel: 'warning',
};

/** One file each. */
export async function bundle(names) {
  const out = join(ROOT, 'dist');
  await mkdir(out, { recursive: true });
  await Promise.all(
    names.map(async (name) => {
      const draft = join(out, `.${name}.${process.pid}.mjs`);
      await build({
        ...PROGRAM,
        entryPoints: [join(ROOT, ENTRIES[name])],
        outfile: draft,
        define: { STATESCOPE_SOURCES: JSON.stringify(sourcesKey()) },
        sourcemap: 'inline',
      });
      await rename(draft, join(out, `${name}.mjs`));
    }),
  );
}
