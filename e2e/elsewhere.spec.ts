import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { createClient } from '@/lib/api/client';
import { coloursOf, expectState } from './page';
import { dataOf, OWN, type OwnServer, serve } from './server';

/** demo-diff-mamba2 over a story, computed by PyTorch: what `export_torch` has written. */
const ID = 'e15e0001';
const FOLDER = join('lib/server/testing/elsewhere', ID);
/** Where the server of these tests keeps its runs. */
const PLACE = join(dataOf(OWN), 'runs', ID);

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
const difference = (a: Float32Array, b: Float32Array) => largest(a.map((value, k) => value - b[k]));

test.beforeAll(() => cp(FOLDER, PLACE, { recursive: true }));
test.afterAll(() => rm(PLACE, { recursive: true, force: true }));

test('a run that PyTorch has computed opens like our own of the same weights, and says where it is from', async ({
  page,
  baseURL,
}) => {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`/?run=${ID}`);
  await expectState(page, 'done');
  await expect(page.getByTestId('map-A')).toBeVisible();
  await expect(page.getByText(/computed elsewhere, by torch/).first()).toBeVisible();
  await expect(page.getByTestId('lens-A')).toBeVisible();

  const client = createClient({ baseUrl: baseURL });
  const { request } = JSON.parse(await readFile(join(FOLDER, 'run.json'), 'utf8')).run;
  const { id } = await client.startRun(request);
  await expect.poll(async () => (await client.run(id)).state).toBe('done');
  for (const layer of [0, 1, 2, 3])
    for (const form of ['s6', 'norm'] as const) {
      const [found, own] = await Promise.all([ID, id].map((each) => client.read(each, 'map', { layer, form })));
      expect(difference(found.data, own.data), `layer ${layer}, ${form}`).toBeLessThan(1e-4 * largest(own.data));
    }
  const [found, own] = await Promise.all([ID, id].map((each) => client.read(each, 'lens', {})));
  const [margin, expected] = [found, own].map(({ statistics }) => statistics.margin as Float32Array);
  expect(difference(margin, expected)).toBeLessThan(1e-4 * largest(expected));
  await client.forgetRun(id);
  expect(complaints).toEqual([]);
});

test.describe('a hybrid', () => {
  const HYBRID = 'e15e0002';
  const MODEL = 'granite-rope';
  const EXPORTED = join('lib/server/testing/elsewhere', HYBRID);
  let root: string;
  let server: OwnServer;

  test.beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'statescope-elsewhere-'));
    const folder = join(root, 'models', MODEL);
    await cp(join('lib/models/testing/hybrids', MODEL), folder, { recursive: true });
    // Its tokens are called by their ids, as the exported prompt has them.
    const vocab = Object.fromEntries(Array.from({ length: 98 }, (_, id) => [`#${id}`, id]));
    const words = {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordLevel', vocab, unk_token: '#0' },
    };
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(words));
    const line = ['scripts/statescope.mjs', 'import', EXPORTED, '--data', join(root, 'data')];
    await promisify(execFile)(process.execPath, line);
    server = await serve({ STATESCOPE_MODELS: join(root, 'models'), STATESCOPE_DATA: join(root, 'data') });
  });
  test.afterAll(async () => {
    server.stop();
    await rm(root, { recursive: true, force: true });
  });

  test('that PyTorch has computed opens with its attention and its scans, and equals our own run', async ({ page }) => {
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    const openAt = (layer: number) => page.goto(`${server.url}/?run=${HYBRID}&a=${MODEL}&b=none&layer=${layer}`);
    const heading = page.locator('.map-name').first();
    await openAt(0);
    await expectState(page, 'done');
    await expect(page.getByText(/computed elsewhere, by torch/).first()).toBeVisible();
    await expect(heading).toContainText('Attention + MLP block');
    await expect(page.locator('.legend').first()).toContainText('softmax weights');
    await expect(page.getByTestId('lens-A')).toBeVisible();
    expect(await coloursOf(page.locator('[data-testid="maps"] .cells canvas').first())).toBeGreaterThan(10);
    await openAt(1);
    await expect(heading).toContainText('Mamba-2 + MLP block');

    const client = createClient({ baseUrl: server.url });
    const { request } = JSON.parse(await readFile(join(EXPORTED, 'run.json'), 'utf8')).run;
    const { id } = await client.startRun(request);
    await expect.poll(async () => (await client.run(id)).state, { timeout: 30_000 }).toBe('done');
    for (const [layer, form] of [
      [0, 'softmax'],
      [3, 'softmax'],
      [1, 's6'],
      [2, 's6'],
      [0, 'norm'],
      [1, 'norm'],
    ] as const) {
      const [found, own] = await Promise.all([HYBRID, id].map((each) => client.read(each, 'map', { layer, form })));
      expect(difference(found.data, own.data), `layer ${layer}, ${form}`).toBeLessThan(1e-4 * largest(own.data));
    }
    const [found, own] = await Promise.all([HYBRID, id].map((each) => client.read(each, 'lens', {})));
    const [margin, expected] = [found, own].map(({ statistics }) => statistics.margin as Float32Array);
    expect(difference(margin, expected)).toBeLessThan(1e-4 * largest(expected));
    expect(complaints).toEqual([]);
  });
});
