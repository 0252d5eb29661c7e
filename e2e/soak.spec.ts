import { type CDPSession, expect, type Page, test } from '@playwright/test';
import { gesture } from './gestures';
import { open, run } from './page';
import { randomFrom } from './random';

/** `npm run soak -- --minutes 10 --seed 7` sets these. */
const MINUTES = Number(process.env.SOAK_MINUTES ?? 1 / 3);
const SEED = Number(process.env.SOAK_SEED ?? 1);
const MB = 2 ** 20;
/** Results stay in the browser's memory for ten minutes; what grows beyond this is kept for no reason. */
const HEAP_GROWTH = 32 * MB;

interface Memory {
  readonly heap: number;
  readonly nodes: number;
  readonly listeners: number;
}

/** What the page holds once garbage is collected. */
async function memoryOf(cdp: CDPSession): Promise<Memory> {
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
}

/** The page as the first example leaves it, without a reload, so that what leaked is still there. */
async function calm(page: Page): Promise<void> {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.mouse.move(0, 0);
  for (let k = 0; k < 4; k++) await page.keyboard.press('Escape');
  await expect(page.getByTestId('status')).toHaveAttribute('data-state', /done|cancelled|error/, { timeout: 60_000 });
}

test(`random gestures for ${(60 * MINUTES).toFixed(0)} s, seed ${SEED}: no complaint, no growth`, async ({ page }) => {
  test.setTimeout(MINUTES * 60_000 + 180_000);
  const refused: string[] = [];
  page.on('response', (response) => {
    if (response.status() >= 400) refused.push(`${response.status()} ${response.url()}`);
  });
  const complaints = await open(page);
  await run(page);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable');
  const random = randomFrom(SEED);
  const samples: Memory[] = [];
  const end = Date.now() + MINUTES * 60_000;
  let gestures = 0;
  while (Date.now() < end) {
    const pause = Math.min(end, Date.now() + MINUTES * 10_000);
    while (Date.now() < pause) {
      await gesture(page, random);
      gestures++;
      expect([...complaints, ...refused], `after ${gestures} gestures of seed ${SEED}`).toEqual([]);
    }
    await calm(page);
    samples.push(await memoryOf(cdp));
  }
  const [first, last] = [samples[0], samples[samples.length - 1]];
  const told = samples.map(({ heap, nodes }) => `${(heap / MB).toFixed(0)} MB, ${nodes} nodes`).join('; ');
  test.info().annotations.push({ type: 'soak', description: `${gestures} gestures: ${told}` });
  if (process.env.SOAK_MINUTES) console.log(`${gestures} gestures: ${told}`);
  expect(last.heap - first.heap, told).toBeLessThan(HEAP_GROWTH);
  expect(last.nodes, told).toBeLessThan(2 * first.nodes + 5000);
  expect(last.listeners, told).toBeLessThan(2 * first.listeners + 500);
});
