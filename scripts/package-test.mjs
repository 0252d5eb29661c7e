// npm run test:package: packs, installs into an empty folder, and there runs a model and serves the page. Needs an npm registry.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { freePort, PLAIN_DOOR } from './lib/serve.mjs';

const PROMPT = 'Mary entered the kitchen. Where is Mary? Answer:';
const folder = mkdtempSync(join(tmpdir(), 'statescope-package-'));
const env = { ...process.env, ...PLAIN_DOOR, STATESCOPE_ROOT: '', STATESCOPE_DATA: join(folder, 'data') };
const bin = join(folder, 'node_modules', '.bin', 'statescope');
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
  must('Installing', 'npm', ['install', '--no-audit', '--no-fund', '--omit=optional', join(folder, archive)]);
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
