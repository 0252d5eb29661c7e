import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { linkExternals } from './packaged.mjs';
import { ROOT } from './root.mjs';
import { mustRun, say } from './run.mjs';
import { digest, isDone, markDone } from './stamp.mjs';

/** Whether this is an installed package, in which all but the add-on was built when it was packed: npm packs no lock file. */
const PACKAGED = !existsSync(join(ROOT, 'package-lock.json'));

const [major, minor] = process.versions.node.split('.').map(Number);

function checkNode() {
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`Statescope needs Node 20.19 or newer; this is ${process.versions.node}.`);
}

/** npm packages, exactly those of the lock file. Install scripts are not needed by any of them, so none runs. */
async function dependencies() {
  const wanted = digest(['package-lock.json'], major, process.platform, process.arch);
  if (existsSync(join(ROOT, 'node_modules', 'next')) && isDone('dependencies', wanted)) return;
  say('installing packages (once)');
  await mustRun(
    'Installing packages',
    'npm',
    ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      stdio: ['ignore', process.stderr, process.stderr],
    },
  );
  markDone('dependencies', wanted);
}

/** The C++ add-on. Without a compiler the portable device takes over, after one line that says so. */
async function addon() {
  const { buildAddon, findCompiler } = await import('../../kernels/native/build.mjs');
  const compiler = findCompiler();
  const wanted = digest(
    ['kernels/native/src', 'kernels/native/build.mjs'],
    process.arch,
    compiler?.name ?? '',
    compiler?.version ?? '',
  );
  if (isDone('addon', wanted)) return;
  await buildAddon({ log: say });
  markDone('addon', wanted);
}

/** What an installed package still needs. It may lie where nothing can be written: then the portable device computes. */
async function installed() {
  try {
    await linkExternals();
    await addon();
  } catch (error) {
    say(`the native kernels are left out: ${error.message}`);
  }
}

export const BUNDLES = [
  'server',
  'worker',
  'reader',
  'archive',
  'import-run',
  'rows',
  'sweeps',
  'items',
  'leases',
  'cli',
];

/** The bundles in dist/, one file each. */
async function bundles() {
  const wanted = digest([
    'lib',
    'kernels',
    'scripts/lib/bundle.mjs',
    'scripts/lib/required.mjs',
    'package-lock.json',
    'tsconfig.json',
  ]);
  const there = BUNDLES.every((name) => existsSync(join(ROOT, 'dist', `${name}.mjs`)));
  if (there && isDone('bundles', wanted)) return;
  const { bundle } = await import('./bundle.mjs');
  await bundle(BUNDLES);
  markDone('bundles', wanted);
}

/** dist/database, which new data folders are copied from, so that the first run does not wait for a database and its tables. */
export async function database() {
  if (PACKAGED) return;
  const wanted = digest([
    'node_modules/@electric-sql/pglite/package.json',
    'scripts/lib/database.mjs',
    'lib/server/archive/migrations',
  ]);
  const { hasDatabase, makeDatabase } = await import('./database.mjs');
  if (hasDatabase() && isDone('database', wanted)) return;
  await makeDatabase();
  markDone('database', wanted);
}

/** The production build of the page; `held` shows what it says when it ends. */
export async function page({ held = false } = {}) {
  if (PACKAGED) return;
  const wanted = digest([
    'app',
    'components',
    'lib',
    'kernels',
    'instrumentation.ts',
    'next.config.js',
    'package-lock.json',
  ]);
  if (existsSync(join(ROOT, '.next', 'BUILD_ID')) && isDone('page', wanted)) return;
  say('building the page (once, and again when its sources change)');
  await mustRun('Building the page', process.execPath, [NEXT, 'build'], {
    held,
    stdio: ['ignore', process.stderr, process.stderr],
    env: { NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' },
  });
  markDone('page', wanted);
}

export const NEXT = join(ROOT, 'node_modules', 'next', 'dist', 'bin', 'next');

/** Packages, add-on and bundles, then `more`; what cannot be set up ends the command with one line. */
export async function prepare(...more) {
  try {
    checkNode();
    const first = PACKAGED ? [installed] : [dependencies, addon, bundles];
    for (const step of [...first, ...more]) await step();
  } catch (error) {
    say(error.message);
    process.exit(1);
  }
}
