import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { sourcesKey } from '../../kernels/native/build.mjs';
import { ROOT } from '../lib/root.mjs';

/** Folder in the archive. */
export const NAME = 'statescope-gpu-check';

/** The check with all its packages in one file; Dawn stays beside it. */
export function bundleCheck(outfile, { packages = 'bundle' } = {}) {
  return build({
    entryPoints: [join(ROOT, 'lib', 'gpu-check', 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: packages === 'bundle',
    packages,
    alias: { '@': ROOT },
    // Dawn is a file of its own; the others are asked for only by benchmarks and devices that the check does not use.
    external: ['webgpu', 'onnxruntime-node', 'pg-native', '@tensorflow/tfjs-node*'],
    define: { STATESCOPE_SOURCES: JSON.stringify(sourcesKey()) },
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
}

/** Debian's packages of what a bare machine may lack, and the libraries of each: Vulkan's loader, what NVIDIA's driver links, Node's own. */
const LIBRARIES = {
  libvulkan1: ['libvulkan.so.1'],
  'libx11-6': ['libX11.so.6'],
  libxext6: ['libXext.so.6'],
  libxcb1: ['libxcb.so.1'],
  libxau6: ['libXau.so.6'],
  libxdmcp6: ['libXdmcp.so.6'],
  libbsd0: ['libbsd.so.0'],
  libmd0: ['libmd.so.0'],
  'libstdc++6': ['libstdc++.so.6'],
  'libgcc-s1': ['libgcc_s.so.1'],
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholder.
const VERSION = '--showformat=${Version}';

const FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64'];

/** Cases of file formats, which are the same on every device. */
const FORMATS = /\/(official-[^/]*|[^/]*sharded)$/;

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The newest version of glibc that these programs and libraries name, such as 2.34. */
export function newestGlibc(paths) {
  const named = paths.flatMap((path) => [...readFileSync(path, 'latin1').matchAll(/GLIBC_2\.(\d+)/g)]);
  return `2.${Math.max(...named.map(([, minor]) => Number(minor)))}`;
}

const outputOf = (command, args, options = {}) => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', ...options });
  return status === 0 ? stdout.trim() : undefined;
};

/** A library of this machine, else of its package on Debian's mirror, else the loader that Chromium brings. */
function libraryOf(name, package_, scratch) {
  const here = FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (here) {
    const version = outputOf('dpkg-query', ['--show', VERSION, package_]) ?? 'of this machine';
    return { path: here, origin: `${package_} ${version}` };
  }
  const folder = join(scratch, package_);
  mkdirSync(folder, { recursive: true });
  const fetched = outputOf('sh', ['-c', `apt-get download ${package_} && dpkg-deb -x ./*.deb . && ls *.deb`], {
    cwd: folder,
  });
  const unpacked = FOLDERS.map((path) => join(folder, path, name)).find((path) => existsSync(path));
  if (fetched !== undefined && unpacked) return { path: unpacked, origin: fetched.split('\n').at(-1) };
  const chromium = join('/usr/lib/chromium', name);
  if (existsSync(chromium)) return { path: chromium, origin: "Debian's chromium" };
  throw new Error(`${name} is not here and cannot be fetched: install ${package_}, then make the bundle again.`);
}

const LICENCES = `What is in this bundle, and under which licence

check.mjs        Statescope, MIT; its packages (TensorFlow.js Apache-2.0, and those of package.json, MIT, ISC, BSD or Apache-2.0)
cases/           reference values made for Statescope, MIT
node             Node.js, MIT and the licences of its parts (licences/node)
node_modules/    Dawn by the npm package webgpu, BSD-3-Clause (its LICENSE.md)
lib/libvulkan*   the Vulkan loader, Apache-2.0
lib/libX*, libxcb*  MIT/X11
lib/libbsd*, libmd*  BSD-3-Clause, BSD-2-Clause, ISC
lib/libstdc++*, libgcc*  GPL-3 with the GCC Runtime Library Exception

manifest.json says where each library is from, and its sha256.
`;

const NODE_LICENCES = ['/usr/share/doc/nodejs/LICENSE', join(process.execPath, '../../LICENSE')];

const launcher = ({ bare, with_own_libraries: own }) => `#!/bin/sh
# Checks the webgpu device of this machine; ./check --help tells more.
case $0 in */*) here=\${0%/*} ;; *) here=. ;; esac
here=$(cd "$here" && pwd)
if ! "$here/node" --version >/dev/null 2>&1; then
  LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib
  export LD_LIBRARY_PATH
  "$here/node" --version >/dev/null || { echo "check: this bundle needs x86-64 Linux with glibc ${bare} or newer, or ${own} with libstdc++ of GCC 12 of its own." >&2; exit 2; }
fi
exec "$here/node" "$here/check.mjs" "$@"
`;

/** Packs everything that a bare x86-64 Linux machine needs for the check into \`archive\` (.tar.gz). @returns its size in bytes */
export async function packBundle(archive) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('The bundle is made of programs of x86-64 Linux: make it there.');
  const scratch = mkdtempSync(join(tmpdir(), 'statescope-bundle-'));
  try {
    const root = join(scratch, NAME);
    mkdirSync(join(root, 'lib'), { recursive: true });
    await bundleCheck(join(root, 'check.mjs'));
    cpSync(process.execPath, join(root, 'node'), { dereference: true });
    const dawn = join('node_modules', 'webgpu');
    for (const file of ['package.json', 'index.js', 'LICENSE.md', 'dist/linux-x64/dawn.node'])
      cpSync(join(ROOT, dawn, file), join(root, dawn, file));
    const cases = join(ROOT, 'lib', 'models', 'testing', 'cases');
    cpSync(cases, join(root, 'cases'), { recursive: true, filter: (path) => !FORMATS.test(path) });
    cpSync(join(ROOT, 'scripts', 'gpu', 'peer.py'), join(root, 'peer.py'));
    const programs = [join(root, 'node'), join(root, dawn, 'dist/linux-x64/dawn.node')];
    const manifest = { node: { version: process.version, sha256: sha256(process.execPath) }, glibc: {}, libraries: {} };
    for (const [package_, names] of Object.entries(LIBRARIES))
      for (const name of names) {
        const { path, origin } = libraryOf(name, package_, join(scratch, 'debian'));
        cpSync(path, join(root, 'lib', name), { dereference: true });
        manifest.libraries[name] = { origin, sha256: sha256(path) };
      }
    const brought = Object.keys(manifest.libraries).map((name) => join(root, 'lib', name));
    manifest.glibc = { bare: newestGlibc([...programs, ...brought]), with_own_libraries: newestGlibc(programs) };
    writeFileSync(join(root, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    writeFileSync(join(root, 'LICENCES'), LICENCES);
    const licence = NODE_LICENCES.find((path) => existsSync(path));
    if (licence) cpSync(licence, join(root, 'licences', 'node'));
    writeFileSync(join(root, 'check'), launcher(manifest.glibc));
    chmodSync(join(root, 'check'), 0o755);
    const packed = spawnSync('tar', ['--owner=0', '--group=0', '-C', scratch, '-czf', archive, NAME], {
      stdio: 'inherit',
    });
    if (packed.status !== 0) throw new Error('tar could not pack the bundle: the lines above say why.');
    return statSync(archive).size;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
