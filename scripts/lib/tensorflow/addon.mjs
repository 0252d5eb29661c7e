import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
/** The newest interface that tfjs-node 4.22 declares. */
const NAPI_VERSION = 8;

export const addonOf = (folder) => join(folder, 'lib', `napi-v${NAPI_VERSION}`, 'tfjs_binding.node');

/** A second name for a file where the file system allows it, else a copy. */
function linkOrCopy(from, to) {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/**
 * Compiles tfjs-node's add-on against TensorFlow's C interface and lays the libraries beside it.
 * @param {string} folder of the npm package
 * @param {{ folder: string, libraries: string[] }} tensorflow as `cInterface` gives it
 * @param {{ name: string }} compiler
 * @throws Error with the compiler's first complaint
 */
export function buildBinding(folder, tensorflow, compiler) {
  const libraries = join(folder, 'deps', 'lib');
  rmSync(join(folder, 'deps'), { recursive: true, force: true });
  mkdirSync(libraries, { recursive: true });
  for (const name of tensorflow.libraries) linkOrCopy(join(tensorflow.folder, 'lib', name), join(libraries, name));

  const addon = addonOf(folder);
  const draft = `${addon}.${process.pid}`;
  mkdirSync(dirname(addon), { recursive: true });
  const { status, stderr, error } = spawnSync(
    compiler.name,
    [
      ...['-std=gnu++17', '-O2', '-fPIC', '-shared', '-pthread', '-w', `-DNAPI_VERSION=${NAPI_VERSION}`],
      `-I${join(tensorflow.folder, 'include')}`,
      `-I${join(dirname(require.resolve('node-api-headers/package.json')), 'include')}`,
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(folder, 'binding', name)),
      `-L${libraries}`,
      ...tensorflow.libraries.map((name) => `-l:${name}`),
      '-Wl,-rpath,$ORIGIN/../../deps/lib',
      ...['-o', draft],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) {
    rmSync(draft, { force: true });
    const complaint =
      error?.message ?? stderr.split('\n').find((line) => line.includes('error')) ?? stderr.slice(0, 200);
    throw new Error(`the add-on does not compile: ${complaint}`);
  }
  renameSync(draft, addon);
}
