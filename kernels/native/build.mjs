/**
 * Builds the C++ add-on with the system's compiler: no node-gyp, no network.
 *
 * Files of src/ and src/core/ are compiled once; every file of src/kernels/ once per instruction set. An object is
 * named by the hash of its command, its source and what that includes, so what has not changed is not compiled again.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const DAY = 24 * 60 * 60 * 1000;

export const addonPath = join(here, 'build', 'statescope.node');

/** What every kernel includes first. */
const HEADER = join('src', 'core', 'kernel.h');
const HEADERS = join('build', `headers.${process.pid}`);

const GENERIC = { name: 'generic', level: 0, lanes: 4, flags: [] };
const INSTRUCTION_SETS =
  arch() === 'x64'
    ? [
        GENERIC,
        { name: 'avx2', level: 1, lanes: 8, flags: ['-mavx2', '-mfma', '-mf16c'] },
        {
          name: 'avx512',
          level: 2,
          lanes: 16,
          flags: [
            '-mavx2',
            '-mfma',
            '-mavx512f',
            '-mavx512dq',
            '-mavx512bw',
            '-mavx512vl',
            '-mprefer-vector-width=512',
          ],
        },
      ]
    : [GENERIC];

const FLAGS = ['-std=gnu++17', '-O3', '-fPIC', '-fvisibility=hidden', '-fno-math-errno', '-fno-trapping-math', '-w'];

/** The first compiler that answers, with what it says of itself; null where there is none. */
export function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const name of candidates) {
    const { status, stdout } = spawnSync(name, ['--version'], { encoding: 'utf8' });
    if (status === 0) return { name, version: stdout };
  }
  return null;
}

function includeFolders() {
  const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  const addonApi = dirname(require.resolve('node-addon-api/package.json'));
  return [`-I${relative(here, headers)}`, `-I${relative(here, addonApi)}`];
}

const sourcesIn = (folder, ending) =>
  readdirSync(join(here, 'src', folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => join('src', folder, entry.name))
    .sort();

const hashOf = (parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
};

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: here, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', (error) => resolve({ ok: false, errors: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, errors }));
  });
}

/** A source and everything it includes by a quoted path, each file once. */
function withIncludes(file, seen = new Set()) {
  if (seen.has(file) || !existsSync(file)) return seen;
  seen.add(file);
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/^#include "([^"]+)"/gm))
    withIncludes(join(dirname(file), name), seen);
  return seen;
}

/** The C++ sources in one word. It is built into the add-on and into what calls it, so that neither runs with another version's. */
export function sourcesKey() {
  const files = readdirSync(join(here, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return hashOf(files.flatMap((file) => [relative(here, file), readFileSync(file)]));
}

const flagsOf = ({ name, level, lanes, flags }) => [
  ...flags,
  `-DSTATESCOPE_ISA=${name}`,
  `-DSTATESCOPE_ISA_LEVEL=${level}`,
  `-DSTATESCOPE_LANES=${lanes}`,
];

/** Every object of the add-on: its source, its flags and the file name that its content gives it. */
function listObjects({ name, version }) {
  const common = [...FLAGS, ...includeFolders()];
  const entry = join('src', 'addon.cc');
  const units = [
    ...['.', 'core'].flatMap((folder) => sourcesIn(folder, /\.cc$/)).map((source) => ({ source, set: null })),
    ...sourcesIn('kernels', /\.cc$/).flatMap((source) => INSTRUCTION_SETS.map((set) => ({ source, set }))),
  ];
  return units.map(({ source, set }) => {
    const key = source === entry ? [`-DSTATESCOPE_SOURCES="${sourcesKey()}"`] : [];
    const args = [...common, ...(set ? flagsOf(set) : []), ...key, '-c', source];
    const contents = [...withIncludes(join(here, source))].map((file) => readFileSync(file));
    const content = hashOf([name, version, ...args, ...contents]);
    const stem = source
      .replace(/^src\//, '')
      .replace(/\.cc$/, '')
      .replaceAll('/', '-');
    const object = join('build', 'objects', `${stem}${set ? `-${set.name}` : ''}-${content}.o`);
    return { source, set, args, object };
  });
}

/**
 * What every kernel includes, compiled once per instruction set: reading it is most of what compiling a small kernel takes.
 * Clang finds such headers otherwise, and does without.
 * @returns the flags that let the kernels of an instruction set find it
 */
async function precompile({ name, version }, objects) {
  const sets = new Set(objects.map(({ set }) => set).filter(Boolean));
  if (!/Free Software Foundation/.test(version)) return () => [];
  const folderOf = (set) => join(HEADERS, set.name);
  const made = await inTurns([...sets], async (set) => {
    mkdirSync(join(here, folderOf(set)), { recursive: true });
    const out = join(folderOf(set), 'kernel.h.gch');
    const { ok } = await run(name, [
      ...FLAGS,
      ...includeFolders(),
      ...flagsOf(set),
      '-x',
      'c++-header',
      HEADER,
      '-o',
      out,
    ]);
    return ok ? set : null;
  });
  return (set) => (set && made.includes(set) ? [`-I${folderOf(set)}`, '-include', 'kernel.h'] : []);
}

/** Results of `work` on each item, as many at a time as there are cores. */
async function inTurns(items, work) {
  const results = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [place, item] of queue) results[place] = await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

async function compileAll(compiler, objects) {
  const missing = objects.filter(({ object }) => !existsSync(join(here, object)));
  const failures = [];
  const headerOf = await precompile(compiler, missing);
  await inTurns(missing, async ({ source, set, args, object }) => {
    if (failures.length > 0) return;
    const partial = `${object}.${process.pid}.tmp`;
    const { ok, errors } = await run(compiler.name, [...headerOf(set), ...args, '-o', partial]);
    if (ok) renameSync(join(here, partial), join(here, object));
    else failures.push(`${source}: ${errors.trim()}`);
  });
  rmSync(join(here, HEADERS), { recursive: true, force: true });
  return { count: missing.length, failures };
}

/** Removes objects that no build has used for a day, and headers that a build left which was killed. */
function removeStale(objects) {
  const wanted = new Set(objects.map(({ object }) => object));
  const left = ['build', join('build', 'objects')].flatMap((folder) =>
    readdirSync(join(here, folder)).map((name) => join(folder, name)),
  );
  for (const path of left) {
    if (wanted.has(path) || !/^build.(objects.|headers\.)/.test(path)) continue;
    const file = join(here, path);
    if (Date.now() - statSync(file).mtimeMs > DAY) rmSync(file, { recursive: true, force: true });
  }
}

async function build(log) {
  if (platform() === 'win32') {
    log('Native kernels are not built on Windows: Statescope will use its portable kernels.');
    return false;
  }
  const compiler = findCompiler();
  if (!compiler) {
    log('No C++ compiler found (c++, g++ or clang++; CXX chooses one): Statescope will use its portable kernels.');
    return false;
  }
  mkdirSync(join(here, 'build', 'objects'), { recursive: true });
  const objects = listObjects(compiler);
  const linkKey = hashOf(objects.map(({ object }) => object));
  const stamp = join(here, 'build', `linked-${linkKey}`);
  if (existsSync(addonPath) && existsSync(stamp)) {
    log('Native kernels are up to date.');
    return true;
  }
  const { count, failures } = await compileAll(compiler, objects);
  if (failures.length > 0) {
    log(`Native kernels did not compile, portable kernels will be used. ${failures[0]}`);
    return false;
  }
  const partial = `${addonPath}.${process.pid}.tmp`;
  const platformFlags =
    platform() === 'darwin' ? ['-undefined', 'dynamic_lookup'] : ['-pthread', '-Wl,-z,nodelete', '-Wl,-s'];
  const linked = await run(compiler.name, [
    '-shared',
    '-o',
    partial,
    ...objects.map(({ object }) => object),
    ...platformFlags,
  ]);
  if (!linked.ok) {
    log(`Native kernels did not link, portable kernels will be used. ${linked.errors.trim()}`);
    return false;
  }
  for (const name of readdirSync(join(here, 'build')).filter((name) => name.startsWith('linked-')))
    rmSync(join(here, 'build', name), { force: true });
  renameSync(partial, addonPath);
  writeFileSync(stamp, '');
  removeStale(objects);
  log(`Native kernels built (${count} of ${objects.length} objects compiled).`);
  return true;
}

/**
 * Builds kernels/native/build/statescope.node where anything has changed.
 * @param {{ log?: (line: string) => void }} [options] `log` receives one line saying what happened.
 * @returns {Promise<boolean>} whether the add-on is there; false (never an exception) without a compiler.
 */
export async function buildAddon({ log = () => {} } = {}) {
  try {
    return await build(log);
  } catch (error) {
    log(`Native kernels could not be built, portable kernels will be used. ${error.message}`);
    return false;
  }
}
