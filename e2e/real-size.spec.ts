import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { writeModel } from '../lib/server/testing/workspace';
import { overlaps } from './boxes';
import { type OwnServer, serve } from './server';

const PAIR = ['deep-mamba2', 'deep-diff-mamba2'] as const;
const SENTENCES = [
  'Mary entered the kitchen .',
  'John dropped the book in the garden .',
  'Sandra visited the hallway .',
];
const PROMPT = `${Array.from({ length: 90 }, (_, k) => SENTENCES[k % 3]).join(' ')} Where is Mary ? Answer :`;

test.describe('48 layers and hundreds of tokens', () => {
  let folder = '';
  let server: OwnServer;

  test.beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'statescope-real-'));
    for (const [k, name] of PAIR.entries()) {
      const layers = Array.from({ length: 48 }, (_, layer) =>
        k === 1 && layer % 2 === 1 ? ('diff_mamba2' as const) : ('mamba2' as const),
      );
      await writeModel(folder, name, { layers, expand: 2 });
    }
    server = await serve({ STATESCOPE_MODELS: folder });
  });
  test.afterAll(async () => {
    server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('maps come with their layers, the curve ends with the run, values are logarithmic, and no text meets another', async ({
    page,
  }) => {
    test.setTimeout(300_000);
    let bytes = 0;
    const seen: { path: string; at: number }[] = [];
    page.on('response', async (response) => {
      const path = new URL(response.url()).pathname;
      if (!path.startsWith('/api/runs/') || path.endsWith('/events')) return;
      bytes += (await response.body().catch(() => Buffer.alloc(0))).length;
      seen.push({ path, at: Date.now() });
    });
    await page.goto(`${server.url}/?a=${PAIR[0]}&b=${PAIR[1]}&prompt=${encodeURIComponent(PROMPT)}&target=kitchen`);
    const button = page.getByTestId('run-button');
    await expect(button).toBeEnabled();
    const started = page.waitForResponse((one) => one.request().method() === 'POST' && one.url().endsWith('/api/runs'));
    await button.click();
    const { id } = await (await started).json();
    // The same stream that the page follows says when the first layer was there.
    const layerAt = (async () => {
      const events = await fetch(`${server.url}/api/runs/${id}/events`);
      const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ''; reader; ) {
        const { value, done } = await reader.read();
        text += value ?? '';
        if (done || text.includes('event: layer')) {
          await reader.cancel();
          return Date.now();
        }
      }
      return Number.NaN;
    })();
    await expect(page.getByTestId('status')).toHaveAttribute('data-state', 'done', { timeout: 200_000 });
    const ended = Date.now();
    const first = await layerAt;
    await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(2);
    const map = seen.find(({ path }) => path.endsWith('/map'));
    test.info().annotations.push({
      type: 'real size',
      description: `first map ${(map?.at ?? Number.NaN) - first} ms after the first layer, run ended after ${ended - first} ms, ${seen.length} answers, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
    });
    console.log(test.info().annotations[0].description);
    expect(map?.at).toBeLessThan(ended);
    // 50 entries of each model: embedding, blocks, output.
    await expect(page.getByTestId('signal-curve').locator('.mark')).toHaveCount(100);
    await expect(page).toHaveURL(/values=log/);
    for (const [width, theme] of [
      [1440, 'light'],
      [1920, 'dark'],
      [1024, 'light'],
      [390, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme: theme });
      await expect.poll(() => overlaps(page), `at ${width}`).toEqual([]);
      if (process.env.LOOK) {
        await page.evaluate(() => scrollTo(0, 0));
        await page.waitForTimeout(1500);
        await page.screenshot({ path: join(process.env.LOOK, `deep-${width}-${theme}.png`) });
        await page.locator('#attention').scrollIntoViewIfNeeded();
        await page.waitForTimeout(1500);
        await page.screenshot({ path: join(process.env.LOOK, `deep-att-${width}-${theme}.png`) });
      }
    }
  });
});
