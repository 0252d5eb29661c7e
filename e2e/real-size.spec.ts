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
const QUESTION = 'Where is Mary ? Answer :';
const PROMPT = `${Array.from({ length: 90 }, (_, k) => SENTENCES[k % 3]).join(' ')} ${QUESTION}`;

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
    const asked: { layer: string | null; at: number }[] = [];
    page.on('request', (request) => {
      const { pathname, searchParams } = new URL(request.url());
      if (pathname.endsWith('/map')) asked.push({ layer: searchParams.get('layer'), at: Date.now() });
    });
    page.on('response', async (response) => {
      const path = new URL(response.url()).pathname;
      if (!path.startsWith('/api/runs/') || path.endsWith('/events')) return;
      bytes += (await response.body().catch(() => Buffer.alloc(0))).length;
      seen.push({ path, at: Date.now() });
    });
    const at = PROMPT.length - QUESTION.length;
    const classes = `question=${at}-${PROMPT.length}`;
    await page.goto(
      `${server.url}/?a=${PAIR[0]}&b=${PAIR[1]}&prompt=${encodeURIComponent(PROMPT)}&target=kitchen&layer=47&${classes}`,
    );
    const button = page.getByTestId('run-button');
    await expect(button).toBeEnabled();
    const started = page.waitForResponse((one) => one.request().method() === 'POST' && one.url().endsWith('/api/runs'));
    await button.click();
    const { id } = await (await started).json();
    // The same stream that the page follows says when each layer was there.
    const layersAt = (async () => {
      const times: number[] = [];
      const events = await fetch(`${server.url}/api/runs/${id}/events`);
      const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; reader; ) {
        const { value, done } = await reader.read();
        if (done) return times;
        const lines = (rest + value).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line === 'event: layer') times.push(Date.now());
      }
      return times;
    })();
    await expect(page.locator('#attention h2')).toContainText(/layer 0: .* until layer 47 is computed/);
    await expect(page.getByTestId('status')).toHaveAttribute('data-state', 'done', { timeout: 200_000 });
    await expect(page.locator('#attention h2')).not.toContainText('until layer');
    const ended = Date.now();
    const times = await layersAt;
    await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(2);
    const map = seen.find(({ path }) => path.endsWith('/map'));
    const since = (at: number | undefined) => (at ?? Number.NaN) - times[0];
    const meanwhile = times.filter((time) => time < (map?.at ?? Number.POSITIVE_INFINITY)).length;
    test.info().annotations.push({
      type: 'real size',
      description: `first map asked for ${since(asked[0]?.at)} ms and there ${since(map?.at)} ms after the first layer, when ${meanwhile} layers were; run ended after ${since(ended)} ms, ${seen.length} answers, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
    });
    console.log(test.info().annotations[0].description);
    // A page that waits for the layer that it opens on, the last, would ask for nothing before.
    expect(asked[0].layer).toBe('0');
    expect(asked[0].at).toBeLessThan(times[times.length - 1]);
    // The question has a bar along the rows, which both maps share, and one below each map, as long as its tokens.
    const bars = page.locator('#attention rect.class-question');
    await expect(bars).toHaveCount(3);
    const cells = await page.locator('[data-testid="maps"] .cells').first().boundingBox();
    const boxes = await bars.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON()));
    const below = boxes.find(({ width, height }) => width > height);
    const share = QUESTION.split(' ').length / PROMPT.split(' ').length;
    expect(below?.width).toBeGreaterThan((cells?.width ?? 0) * (share - 2 / 546));
    expect(below?.width).toBeLessThan((cells?.width ?? 0) * (share + 2 / 546));
    expect(below?.right).toBeLessThanOrEqual((cells?.x ?? 0) + (cells?.width ?? 0) + 0.5);
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
      if (width >= 1440) expect((await page.locator('#prompt .head').boundingBox())?.height).toBeLessThan(40);
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
