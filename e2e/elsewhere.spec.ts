import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { createClient } from '@/lib/api/client';
import { expectState } from './page';
import { dataOf, OWN } from './server';

/** demo-diff-mamba2 over a story, computed by PyTorch: what `export_torch` has written. */
const ID = 'e15e0001';
const FOLDER = join('lib/server/testing/elsewhere', ID);
/** Where the server of these tests keeps its runs. */
const PLACE = join(dataOf(OWN), 'runs', ID);

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
  const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = (a: Float32Array, b: Float32Array) => largest(a.map((value, k) => value - b[k]));
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
