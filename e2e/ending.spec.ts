import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from '@playwright/test';
import { PROMPT, writeModel } from '../lib/server/testing/workspace';
import { launch, type OwnServer, serve } from './server';

/** Milliseconds: 3 s, and room where other tests share the machine. What is ended would take minutes. */
const LIMIT = Number(process.env.E2E_WORKERS ?? 1) > 1 ? 10_000 : 3000;

let folder: string;
let servers: OwnServer[] = [];

test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'statescope-ending-'));
});

test.afterEach(async () => {
  for (const { stop } of servers) stop();
  servers = [];
  await rm(folder, { recursive: true, force: true });
});

/** A server with a model that computes for long, on the slowest device. */
async function slow(command?: string[]): Promise<OwnServer> {
  const models = join(folder, 'models');
  await writeModel(models, 'deep');
  const data = join(folder, 'data');
  const env = { STATESCOPE_DEVICE: 'cpu', STATESCOPE_MODELS: models, STATESCOPE_DATA: data };
  const server = await serve(env, command);
  servers.push(server);
  const archive = async () => (await (await fetch(`${server.url}/api/runs`)).json()).archive.state;
  await expect.poll(archive).toBe('open');
  return server;
}

/** Starts the long run and follows it. */
async function follow({ url }: OwnServer): Promise<{ id: string; stream: Response }> {
  const prompt = Array(6).fill(PROMPT).join(' ');
  const body = JSON.stringify({ models: ['deep'], prompt, target: 'kitchen' });
  const headers = { 'content-type': 'application/json' };
  const made = await fetch(`${url}/api/runs`, { method: 'POST', headers, body });
  const { id } = await made.json();
  return { id, stream: await fetch(`${url}/api/runs/${id}/events`) };
}

const layersOf = async ({ url }: OwnServer, id: string): Promise<number> =>
  (await (await fetch(`${url}/api/runs/${id}`)).json()).models[0].mapsReady;

/** The run is in the store with what it had computed. */
async function expectKept(id: string): Promise<void> {
  const next = await slow();
  const run = await (await fetch(`${next.url}/api/runs/${id}`)).json();
  expect(run).toMatchObject({ state: 'cancelled', available: true });
  expect(run.models[0].mapsReady).toBeGreaterThan(2);
  expect((await fetch(`${next.url}/api/runs/${id}/map?layer=1`)).status).toBe(200);
}

test('a signal ends streams, keeps the run half-way, and the process leaves', async () => {
  const server = await slow();
  const { id, stream } = await follow(server);
  await expect.poll(() => layersOf(server, id), { intervals: [20] }).toBeGreaterThan(2);
  const events = stream.text();
  const { code, ms } = await server.end('SIGINT');
  expect(code).toBe(0);
  expect(ms).toBeLessThan(LIMIT);
  expect((await events).trim()).toMatch(/event: state\ndata: .*"cancelled".*$/);
  await expectKept(id);
});

/** Ctrl-C reaches npm, its shell and the server, and npm passes it on; other signals reach npm alone. */
for (const [signal, to] of [
  ['SIGINT', 'group'],
  ['SIGTERM', 'process'],
] as const)
  test(`${signal} to npm does the same`, async () => {
    const server = await slow(['npm', 'start', '--silent']);
    const { id } = await follow(server);
    await expect.poll(() => layersOf(server, id), { intervals: [20] }).toBeGreaterThan(2);
    const { ms } = await server.end(signal, to);
    expect(ms).toBeLessThan(LIMIT);
    const answers = () =>
      fetch(`${server.url}/api/health`).then(
        () => true,
        () => false,
      );
    await expect.poll(answers, { timeout: LIMIT }).toBe(false);
    expect(server.log()).toContain('ending: what has been computed is kept');
    expect(server.log()).not.toContain('left behind');
    await expectKept(id);
  });

test('a signal that npm passes on a second time is no second one', async () => {
  const server = await slow();
  await follow(server);
  const ended = server.end('SIGTERM');
  server.process.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0 });
});

/** Regular expressions of a tokenizer.json that never end on such a text. */
async function stuck(): Promise<{ server: OwnServer; waiting: Promise<unknown> }> {
  const models = join(folder, 'models');
  await cp('models/demo-mamba2', join(models, 'stuck'), { recursive: true });
  const path = join(models, 'stuck', 'tokenizer.json');
  const tokenizer = JSON.parse(await readFile(path, 'utf8'));
  const pattern = { Regex: '(a+)+$' };
  const pre_tokenizer = { type: 'Split', pattern, behavior: 'Isolated', invert: false };
  await writeFile(path, JSON.stringify({ ...tokenizer, pre_tokenizer }));
  const server = await serve({ STATESCOPE_MODELS: models });
  servers.push(server);
  const body = JSON.stringify({ model: 'stuck', text: `${'a'.repeat(60)}!` });
  const headers = { 'content-type': 'application/json' };
  const waiting = fetch(`${server.url}/api/tokenize`, { method: 'POST', headers, body }).catch(() => null);
  await wait(1000);
  return { server, waiting };
}

test('a thread that does not answer holds nothing up', async () => {
  const { server } = await stuck();
  expect((await server.end('SIGTERM')).ms).toBeLessThan(LIMIT);
});

test('the second signal leaves a thread that does not answer at once', async () => {
  const { server } = await stuck();
  const ended = server.end('SIGTERM');
  await wait(700);
  const begun = Date.now();
  server.process.kill('SIGTERM');
  await ended;
  expect(Date.now() - begun).toBeLessThan(300);
});

test('a signal while it is only starting ends it too', async () => {
  const server = await launch({});
  servers.push(server);
  await expect.poll(() => server.log()).toContain('open http://127.0.0.1:');
  const { code, ms } = await server.end('SIGTERM');
  expect(code).toBe(0);
  expect(ms).toBeLessThan(LIMIT);
});
