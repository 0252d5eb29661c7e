// npm run test:package [-- --linked]: packs, installs into an empty folder, and there runs a model and serves the page. Needs an npm
// registry, a compiler and minutes; with --linked, as in npm test, the package is unpacked beside links to the dependencies of this
// clone and a copy of its add-on, which leaves npm and the compiler out.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { freePort, PLAIN_DOOR } from './lib/serve.mjs';

const PROMPT = 'Mary entered the kitchen. Where is Mary? Answer:';
const folder = mkdtempSync(join(tmpdir(), 'statescope-package-'));
const env = { ...process.env, ...PLAIN_DOOR, STATESCOPE_ROOT: '', STATESCOPE_DATA: join(folder, 'data') };
const linked = process.argv.includes('--linked');
const installed = join(folder, 'node_modules', 'statescope');
const bin = linked ? join(installed, 'scripts', 'statescope.mjs') : join(folder, 'node_modules', '.bin', 'statescope');
let failed = 0;

function must(what, command, args, cwd = folder) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${what} failed (exit ${status}):\n${stdout}\n${stderr}`);
  return stdout;
}

function check(what, holds) {
  say(`${holds ? 'passed' : 'FAILED'}: ${what}`);
  if (!holds) failed += 1;
}

/** What `npm install` does, but for what it fetches and compiles. Only what the package depends on lies beside it. */
function installLinked(archive) {
  mkdirSync(installed, { recursive: true });
  must('Unpacking', 'tar', ['-xzf', join(folder, archive), '-C', installed, '--strip-components=1']);
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  for (const [path, { dev }] of Object.entries(packages)) {
    if (dev || !/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path)) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(folder, path));
  }
  for (const built of ['kernels/native/build', '.setup/addon'])
    cpSync(join(ROOT, built), join(installed, built), { recursive: true });
  must('The step after the installation', process.execPath, [join(installed, 'scripts', 'postinstall.mjs')]);
}

async function served() {
  const port = await freePort();
  const server = spawn(bin, ['serve', '--port', String(port), '--until-input-ends'], {
    cwd: folder,
    env,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const ask = (path, options) => fetch(`http://127.0.0.1:${port}${path}`, options);
  try {
    const until = Date.now() + 120_000;
    for (;;) {
      const health = await ask('/api/health').then(
        (answer) => answer.json(),
        () => null,
      );
      if (health?.status === 'ready') break;
      if (server.exitCode !== null || Date.now() > until) throw new Error('The installed server did not start.');
      await wait(250);
    }
    const html = await (await ask('/')).text();
    const scripts = [...html.matchAll(/src="(\/_next\/[^"]+\.js)"/g)].map(([, path]) => path);
    const statuses = await Promise.all(scripts.map(async (path) => (await ask(path)).status));
    check('the page and its programs', scripts.length > 0 && statuses.every((status) => status === 200));
    const body = JSON.stringify({ models: ['demo-mamba2'], prompt: PROMPT, target: 'kitchen' });
    const { id } = await (
      await ask('/api/runs', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    ).json();
    let state = '';
    for (let k = 0; k < 240 && state !== 'done'; k++, await wait(250))
      ({ state } = await (await ask(`/api/runs/${id}`)).json());
    check('a run', state === 'done');
    check('a map, and its numbers by export', (await ask(`/api/runs/${id}/map?layer=1`)).ok);
    let kept = false;
    for (let k = 0; k < 240 && !kept; k++, await wait(250))
      kept = (await (await ask('/api/runs')).json()).runs.some((each) => each.id === id && each.kept);
    check('a run that is kept', kept);
    check('an export', (await ask(`/api/runs/${id}/export?what=lens&format=csv`)).ok);
  } finally {
    server.stdin.end();
    await Promise.race([new Promise((resolve) => server.once('exit', resolve)), wait(10_000)]);
    server.kill('SIGKILL');
  }
}

try {
  must('Packing', 'npm', ['pack', '--silent', '--pack-destination', folder], ROOT);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  if (linked) installLinked(archive);
  else must('Installing', 'npm', ['install', '--no-audit', '--no-fund', '--omit=optional', join(folder, archive)]);
  const packed = readdirSync(installed, { recursive: true }).map(String);
  check('no tests in the package', packed.length > 500 && !packed.some((path) => /\.(test|spec)\.tsx?$/.test(path)));
  const models = must('Listing models', bin, ['models', '--json']);
  check(
    'the bundled models',
    JSON.parse(models).some(({ name }) => name === 'demo-mamba2'),
  );
  const lens = must('A lens', bin, ['lens', '--model', 'demo-mamba2', '--prompt', PROMPT, '--targets', '8', '--json']);
  check('a lens', JSON.parse(lens) !== null);
  await served();
} catch (error) {
  check(error.message, false);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
