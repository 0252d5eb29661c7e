import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { sourcesKey } from '../../kernels/native/build.mjs';
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

/** Programs that Node runs outside of Next, one file each; packages stay in node_modules. */
export async function bundle(names) {
  const out = join(ROOT, 'dist');
  await mkdir(out, { recursive: true });
  await Promise.all(
    names.map(async (name) => {
      const draft = join(out, `.${name}.${process.pid}.mjs`);
      await build({
        entryPoints: [join(ROOT, ENTRIES[name])],
        outfile: draft,
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node20',
        packages: 'external',
        alias: { '@': ROOT },
        define: { STATESCOPE_SOURCES: JSON.stringify(sourcesKey()) },
        sourcemap: 'inline',
        logLevel: 'warning',
      });
      await rename(draft, join(out, `${name}.mjs`));
    }),
  );
}
