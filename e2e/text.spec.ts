import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { writeModel } from '../lib/server/testing/workspace';
import { overlaps } from './boxes';
import { expectState, open, run } from './page';
import { type OwnServer, serve } from './server';

/** What stands in each other's way most: more controls, longer names, refusals, several maps. */
const VIEWS = [
  '',
  'tracks=true&marginals=true&form=norm&diff=true',
  'layers=normalised',
  'branches=true&layer=1&values=log',
];
const WIDTHS = [1440, 390];

/** Scrolls through the page, so that every section is there, and back. */
async function visitAll(page: Page): Promise<void> {
  await page.evaluate(async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
      scrollTo(0, y);
      await new Promise(requestAnimationFrame);
    }
    scrollTo(0, 0);
  });
  await expect(page.locator('#allocation')).toHaveCount(1);
}

async function expectNoTextOverText(page: Page, base: string, models: readonly string[]): Promise<void> {
  const { examples } = await (await page.request.get(`${base}/api/examples`)).json();
  const { prompt, target, needle, candidates } = examples.find(({ id }: { id: string }) => id === 'person-early');
  const data = { models, prompt, target, needle, candidates };
  const { id } = await (await page.request.post(`${base}/api/runs`, { data })).json();
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    for (const view of VIEWS) {
      await page.goto(`${base}/?run=${id}&${view}`);
      await expectState(page, 'done');
      await expect(page.getByTestId('maps')).toBeVisible();
      await visitAll(page);
      await expect.poll(() => overlaps(page), `${models} at ${width}, ${view}`).toEqual([]);
    }
    await page.goto(`${base}/compare?first=${id}.0&second=${id}.1`);
    await expect(page.getByTestId('map-difference')).toBeVisible();
    await expect.poll(() => overlaps(page), `${models} at ${width}, compared`).toEqual([]);
  }
}

test('no text stands over another', async ({ page, baseURL }) => {
  test.setTimeout(240_000);
  await expectNoTextOverText(page, baseURL as string, ['demo-mamba2', 'demo-diff-mamba2']);
});

test('probabilities near one stay in their cells beside the lens', async ({ page }) => {
  await open(page);
  await run(page);
  await page.locator('#lens').scrollIntoViewIfNeeded();
  const cells = page.locator('#lens aside .slot-list tbody td');
  await expect(cells.first()).toContainText('1 − ');
  const wider = (all: Element[]) =>
    all.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent);
  expect(await cells.evaluateAll(wider)).toEqual([]);
});

test.describe('of 48 layers', () => {
  let folder = '';
  let server: OwnServer;

  test.beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'statescope-deep-'));
    const kinds = (differs: boolean) =>
      Array.from({ length: 48 }, (_, layer) =>
        differs && layer % 2 === 1 ? ('diff_mamba2' as const) : ('mamba2' as const),
      );
    await writeModel(folder, 'a-deep-mamba2-with-a-long-name', { layers: kinds(false), expand: 2 });
    await writeModel(folder, 'a-deep-diff-mamba2-with-a-long-name', { layers: kinds(true), expand: 2 });
    server = await serve({ STATESCOPE_MODELS: folder });
  });
  test.afterAll(async () => {
    server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('no text stands over another', async ({ page }) => {
    test.setTimeout(240_000);
    await expectNoTextOverText(page, server.url, [
      'a-deep-mamba2-with-a-long-name',
      'a-deep-diff-mamba2-with-a-long-name',
    ]);
  });

  test('small maps are asked for once each while layers come in, and no request is taken back', async ({ page }) => {
    const asked: string[] = [];
    const failed: string[] = [];
    page.on('request', (request) => request.url().includes('/thumbnails') && asked.push(request.url()));
    page.on('requestfailed', (request) => request.url().includes('/api/runs/') && failed.push(request.url()));
    await page.goto(
      `${server.url}/?a=a-deep-mamba2-with-a-long-name&b=a-deep-diff-mamba2-with-a-long-name&example=person-early`,
    );
    await page.getByTestId('run-button').click();
    await expectState(page, 'done');
    const drawn = page.locator('[data-testid="layer-strip"] > canvas');
    // Two rows of small maps, two of the lens.
    await expect(drawn).toHaveCount(2 * 48 + 2);
    expect(failed.filter((url) => !url.endsWith('/events'))).toEqual([]);
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked.length).toBeLessThanOrEqual(2 * 48);
  });
});
