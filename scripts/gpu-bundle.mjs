// npm run gpu:bundle: dist/statescope-gpu-check.tar.gz, the check for a machine with a GPU that has neither Node nor network.
import { join } from 'node:path';
import { NAME, packBundle } from './gpu/bundle.mjs';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { prepare } from './lib/setup.mjs';

await prepare();
try {
  const archive = join(ROOT, 'dist', `${NAME}.tar.gz`);
  const size = await packBundle(archive);
  say(
    `${archive}, ${(size / 1e6).toFixed(1)} MB. On the machine: tar xzf ${NAME}.tar.gz && ${NAME}/check (docs/gpu.md)`,
  );
} catch (error) {
  say(error.message);
  process.exit(1);
}
