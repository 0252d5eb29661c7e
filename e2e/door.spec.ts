import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, expect, test } from '@playwright/test';
import { open, run } from './page';
import { launch, type OwnServer, serve } from './server';

const TOKEN = 'correct-horse-battery';
const QUESTION = { models: ['demo-mamba2'], prompt: 'Mary went to the kitchen. Where is Mary?', target: 'kitchen' };
const JSON_TYPE = { 'content-type': 'application/json' };

let servers: OwnServer[] = [];
let browsers: Browser[] = [];
let foreign: Server | undefined;

test.afterEach(async () => {
  for (const { stop } of servers) stop();
  for (const browser of browsers) await browser.close();
  foreign?.close();
  servers = [];
  browsers = [];
  foreign = undefined;
});

async function started(env: Record<string, string> = {}): Promise<OwnServer> {
  const server = await serve(env);
  servers.push(server);
  return server;
}

/** A browser for which a foreign name points to this machine, as after a DNS rebinding. */
async function rebound(): Promise<Browser> {
  const { executablePath, args = [] } = test.info().project.use.launchOptions ?? {};
  const rule = '--host-resolver-rules=MAP evil.example 127.0.0.1';
  const browser = await chromium.launch({ executablePath, args: [...args, rule] });
  browsers.push(browser);
  return browser;
}

/** Another web server of this machine, with one page. */
async function elsewhere(html: string, host = '127.0.0.1'): Promise<string> {
  foreign = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(html);
  });
  await once(foreign.listen(0, '127.0.0.1'), 'listening');
  return `http://${host}:${(foreign.address() as AddressInfo).port}`;
}

const runsOf = async ({ url }: OwnServer): Promise<unknown[]> => (await (await fetch(`${url}/api/runs`)).json()).runs;

test('a foreign name that points here (DNS rebinding) reads and does nothing', async () => {
  const server = await started();
  const page = await (await rebound()).newPage({ bypassCSP: true });
  const evil = `http://evil.example:${server.port}`;
  const answer = await page.goto(evil);
  expect(answer?.status()).toBe(421);
  await expect(page.locator('body')).toContainText('This server does not go by the name evil.example.');
  // What a page that came before the rebinding would do: it is of the same origin.
  const statuses = await page.evaluate(async (question) => {
    const headers = { 'content-type': 'application/json' };
    const post = { method: 'POST', headers, body: JSON.stringify(question) };
    const asked = [fetch('/api/runs'), fetch('/api/models'), fetch('/api/runs', post)];
    return (await Promise.all(asked)).map(({ status }) => status);
  }, QUESTION);
  expect(statuses).toEqual([421, 421, 421]);
  expect(await runsOf(server)).toEqual([]);
});

test('a page of another port reads, embeds and does nothing, but may link here', async ({ page }) => {
  const server = await started();
  const refused: string[] = [];
  const html = `<a href="${server.url}/runs">runs</a><iframe src="${server.url}/"></iframe>`;
  page.on('response', (answer) => {
    if (answer.url().startsWith(server.url) && answer.status() === 403) refused.push(new URL(answer.url()).pathname);
  });
  await page.goto(await elsewhere(html));
  await page.evaluate(
    async ([url, body]) => {
      await fetch(`${url}/api/runs`, { mode: 'no-cors' });
      await fetch(`${url}/api/runs`, { method: 'POST', mode: 'no-cors', body });
    },
    [server.url, JSON.stringify(QUESTION)],
  );
  expect(refused).toEqual(['/', '/api/runs', '/api/runs']);
  await page.getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'Runs' })).toBeVisible();
  expect(await runsOf(server)).toEqual([]);
});

test('the link with the token opens the page, and nothing opens without', async ({ browser }) => {
  const server = await started({ STATESCOPE_HOST: '0.0.0.0', STATESCOPE_TOKEN: TOKEN });
  const stranger = await (await browser.newContext()).newPage();
  expect((await stranger.goto(server.url))?.status()).toBe(401);
  await expect(stranger.locator('body')).toContainText('This server asks for a token.');
  expect((await fetch(`${server.url}/api/runs`)).status).toBe(401);
  expect((await fetch(`${server.url}/api/health`, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);

  const page = await (await browser.newContext()).newPage();
  await page.goto(`${server.url}/?token=${TOKEN}`);
  expect(page.url()).not.toContain(TOKEN);
  await expect(page.getByTestId('run-button')).toBeEnabled();
  await run(page);
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ name: `statescope-${server.port}`, httpOnly: true, sameSite: 'Strict' });
  expect(cookie.value).not.toContain(TOKEN);

  // Without a link: the form takes the token too, and a wrong one is told.
  await stranger.getByLabel('Token').fill('wrong-horse-battery');
  await stranger.getByRole('button').click();
  await expect(stranger.locator('body')).toContainText('This is not the token of this server.');
  await stranger.getByLabel('Token').fill(TOKEN);
  await stranger.getByRole('button').click();
  await expect(stranger.getByTestId('run-button')).toBeEnabled();
  expect(server.log()).not.toContain(TOKEN);
});

test('beyond loopback a token is made and printed, with who comes in by it', async ({ page }) => {
  const server = await launch({ STATESCOPE_HOST: '0.0.0.0' });
  servers.push(server);
  await expect.poll(server.log).toContain('beyond this machine. Everybody who reaches it and has the token');
  const [link] = /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/.exec(server.log()) ?? [];
  expect((await page.goto(server.url))?.status()).toBe(401);
  // From a link on another site, where a redirect would come without the new cookie.
  await page.goto(await elsewhere(`<a href="${link}">workbench</a>`, 'localhost'));
  await page.getByRole('link').click();
  await expect(page.getByTestId('run-button')).toBeEnabled();
  expect(page.url()).not.toContain('token');
});

test('a server that cannot start says why in one sentence', async () => {
  const taken = await started();
  const { PORT: _, ...env } = process.env;
  const cases: [Record<string, string>, string][] = [
    [{ PORT: '99999' }, 'PORT must be a whole number from 1 to 65535, not "99999".'],
    [{ PORT: '3000 -H 0.0.0.0' }, 'PORT must be a whole number from 1 to 65535, not "3000 -H 0.0.0.0".'],
    [{ PORT: String(taken.port) }, `Port ${taken.port} of 127.0.0.1 is taken`],
    [{ STATESCOPE_HOST: '192.0.2.77' }, 'STATESCOPE_HOST is "192.0.2.77", which is not an address of this machine.'],
    [{ STATESCOPE_HOST: 'http://x' }, 'STATESCOPE_HOST must be an address or a host name without port'],
    [{ STATESCOPE_TOKEN: 'short' }, 'STATESCOPE_TOKEN must be 16 to 256'],
  ];
  for (const [given, sentence] of cases) {
    const { status, stderr, stdout } = spawnSync('node', ['scripts/start.mjs'], {
      env: { ...env, STATESCOPE_DATA: 'none', ...given },
      encoding: 'utf8',
    });
    expect(status, sentence).toBe(1);
    expect(stdout + stderr).toContain(`statescope: ${sentence}`);
    expect((stdout + stderr).trim().split('\n'), sentence).toHaveLength(1);
  }
});

test('HOST opens nothing', async () => {
  const server = await started({ HOST: '0.0.0.0', STATESCOPE_HOST: '' });
  expect(server.log()).toContain(`open http://127.0.0.1:${server.port}\n`);
  const { status } = spawnSync('sh', ['-c', `ss -ltn | grep '[0*]:${server.port} '`]);
  expect(status).toBe(1);
});

test('a read-only server computes for everybody and changes nothing', async ({ page }) => {
  const server = await started({ STATESCOPE_READ_ONLY: '1' });
  const complaints = await open(page, server.url);
  await run(page);
  const id = new URL(page.url()).searchParams.get('run');
  expect((await (await fetch(`${server.url}/api/health`)).json()).readOnly).toBe(true);
  const changes: [string, string, object?][] = [
    ['PATCH', `runs/${id}`, { name: 'mine' }],
    ['DELETE', `runs/${id}?forget=true`],
    ['POST', 'models', { folder: '/tmp' }],
    ['DELETE', 'models?folder=/tmp'],
  ];
  for (const [method, path, body] of changes) {
    const sent = body && { headers: JSON_TYPE, body: JSON.stringify(body) };
    const answer = await fetch(`${server.url}/api/${path}`, { method, ...sent });
    expect(answer.status, path).toBe(403);
    expect(await answer.json()).toEqual({
      error: { message: 'This server is read-only: runs and models stay as they are.' },
    });
  }
  await page.getByTestId('model-a').click();
  await expect(page.getByTestId('model-dialog')).toBeVisible();
  await expect(page.getByTestId('model-folder')).toBeHidden();
  await page.goto(`${server.url}/runs`);
  await expect(page.getByRole('status')).toContainText('This server is read-only');
  await expect(page.getByTestId('run-row')).toHaveCount(1);
  await expect(page.getByRole('textbox')).toHaveCount(0);
  await expect(page.getByRole('button', { name: /Delete/ })).toHaveCount(0);
  expect(complaints).toEqual([]);
});
