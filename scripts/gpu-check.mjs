// npm run gpu:check: the check of the webgpu device on this machine, from the sources; options as ./check of the bundle has them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundleCheck } from './gpu/bundle.mjs';
import { ROOT } from './lib/root.mjs';
import { prepare } from './lib/setup.mjs';

await prepare();
const program = join(ROOT, 'dist', 'gpu-check.mjs');
await bundleCheck(program, { packages: 'external' });
const cases = join(ROOT, 'lib', 'models', 'testing', 'cases');
const args = ['--cases', cases, '--peer', join(ROOT, 'scripts', 'gpu', 'peer.py')];
const asked = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [program, ...asked, ...(asked[0] === 'statescope' ? [] : args)], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
