import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { expectState } from './page';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** A server of the test's own, which it may kill. */
async function serve(data: string, port: number, env: Record<string, string> = {}): Promise<ChildProcess> {
  const server = spawn(process.execPath, ['scripts/start.mjs'], {
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, PORT: String(port), STATESCOPE_DATA: data, ...env },
  });
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/api/health`).then(
      async (response) => (await response.json()).status === 'ready',
      () => false,
    );
  await expect.poll(answers, { timeout: 120_000 }).toBe(true);
  return server;
}

/** kill −9 of the server and all that it started. */
async function kill(server: ChildProcess | undefined): Promise<void> {
  if (!server?.pid || server.exitCode !== null || server.signalCode !== null) return;
  const gone = once(server, 'exit');
  process.kill(-server.pid, 'SIGKILL');
  await gone;
}

test.describe.configure({ timeout: 300_000 });

test('a run that was interrupted by a kill is listed with its question and runs again by one press', async ({
  page,
}) => {
  const data = await mkdtemp(join(tmpdir(), 'statescope-e2e-'));
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  let server: ChildProcess | undefined;
  try {
    server = await serve(data, port);
    const start = async (prompt: string) => {
      const body = { models: ['demo-mamba2', 'demo-diff-mamba2'], prompt, target: 'kitchen' };
      return (await (await page.request.post(`${base}/api/runs`, { data: body })).json()).id as string;
    };
    const list = async () => (await (await page.request.get(`${base}/api/runs`)).json()).runs;
    const kept = await start('Mary entered the kitchen . Where is Mary ? Answer :');
    await expect.poll(async () => (await list()).find(({ id }: { id: string }) => id === kept)?.kept).toBe(true);
    const long = Array.from({ length: 330 }, () => 'Mary entered the kitchen .').join(' ');
    const running = await start(long);
    const waiting = await start('John entered the kitchen . Where is John ? Answer :');
    await list();
    await kill(server);
    server = await serve(data, port);

    await page.goto(`${base}/runs`);
    const row = (id: string) => page.getByTestId('run-row').filter({ hasText: `run ${id}` });
    for (const id of [running, waiting]) await expect(row(id)).toContainText('interrupted');
    await expect(row(kept)).toContainText('done in');
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await row(waiting).getByRole('button', { name: 'Run again' }).click();
    await expect(page).toHaveURL(/run=(?!.*undefined)/);
    await expectState(page, 'done');
    expect(new URL(page.url()).searchParams.get('run')).not.toBe(waiting);

    await page.goto(`${base}/?run=${waiting}`);
    await expect(page.getByTestId('banner')).toContainText('The server ended before this run did.');
    await expect(page.getByTestId('run-button')).toBeEnabled();
    await expect(page).toHaveURL(/prompt=John/);
    await page.getByTestId('banner').getByRole('button', { name: 'Run again' }).click();
    await expectState(page, 'done');
    await expect(page.getByTestId('map-B')).toBeVisible();
  } finally {
    await kill(server);
    await rm(data, { recursive: true, force: true });
  }
});

test('a database that is away is told on both pages, and runs go on', async ({ page }) => {
  const data = await mkdtemp(join(tmpdir(), 'statescope-e2e-'));
  const [port, nobody] = [await freePort(), await freePort()];
  let server: ChildProcess | undefined;
  try {
    server = await serve(data, port, { DATABASE_URL: `postgres://me:secret@127.0.0.1:${nobody}/none` });
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.getByTestId('run-button').click();
    await expectState(page, 'done');
    await expect(page.getByTestId('archive-notice')).toContainText('the connection was refused', { timeout: 30_000 });
    await expect(page.getByTestId('archive-notice')).not.toContainText('secret');
    await page.getByTestId('archive-notice').getByRole('link').click();
    await expect(page.getByTestId('archive-trouble')).toContainText('1 run or analysis waits to be kept.');
    await expect(page.getByTestId('run-row')).toContainText('in memory');
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  } finally {
    await kill(server);
    await rm(data, { recursive: true, force: true });
  }
});
