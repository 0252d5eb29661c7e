import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './root.mjs';
import { run, say } from './run.mjs';

/** What the package needs, as its pyproject.toml says. */
const PACKAGES = ['numpy', 'safetensors', 'httpx'];

export const PYTHON = 'needs python3 (3.9 or newer) with numpy, safetensors and httpx (or pip, to install them)';

const QUIET = { stdio: 'ignore' };

async function has(interpreter) {
  const program = `import sys; assert sys.version_info >= (3, 9); import ${PACKAGES.join(', ')}`;
  return (await run(interpreter, ['-c', program], QUIET).catch(() => 1)) === 0;
}

/**
 * The interpreter for the package's tests: STATESCOPE_PYTHON, that of the machine, or one in `.setup/python` that its packages are
 * installed for once. Null where there is none to be had.
 */
export async function python() {
  const own = join(ROOT, '.setup', 'python', 'bin', 'python');
  for (const each of [process.env.STATESCOPE_PYTHON, existsSync(own) && own, 'python3'])
    if (each && (await has(each))) return each;
  if ((await run('python3', ['-c', 'import venv'], QUIET).catch(() => 1)) !== 0) return null;
  say('installing what the Python package needs into .setup/python (once)');
  const made = await run('python3', ['-m', 'venv', join(ROOT, '.setup', 'python')], QUIET);
  if (made === 0) await run(own, ['-m', 'pip', 'install', '--quiet', '--no-cache-dir', ...PACKAGES], QUIET);
  return (await has(own)) ? own : null;
}
