import { type Browser, expect, type Page, test } from '@playwright/test';
import { open, rest, run } from './page';

// What a gesture makes the browser do, counted and not timed: the same on every machine.

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly args: {
    readonly elementCount?: number;
    readonly beginData?: { readonly dirtyObjects?: number; readonly totalObjects?: number };
  };
}

interface Work {
  /** How often the layers of the whole page were sorted anew. */
  readonly sorted: number;
  /** Most elements whose style was computed at once. */
  readonly styled: number;
  /** Most objects below the roots of one layout: the whole page has thousands. */
  readonly laidOut: number;
  /** Pictures that were drawn. */
  readonly drawn: number;
  /** Sections of the page in which anything but a mark under the pointer changed. */
  readonly changed: readonly string[];
}

/** Two frames. */
const settle = (page: Page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** Counts what happens while `gesture` runs. */
async function workOf(browser: Browser, page: Page, gesture: () => Promise<void>): Promise<Work> {
  await page.evaluate(() => {
    const seen = { drawn: 0, changed: new Set<string>() };
    const { transferToImageBitmap } = OffscreenCanvas.prototype;
    OffscreenCanvas.prototype.transferToImageBitmap = function () {
      seen.drawn++;
      return transferToImageBitmap.call(this);
    };
    const observer = new MutationObserver((records) => {
      for (const { target } of records) {
        const element = target instanceof Element ? target : target.parentElement;
        if (!element?.closest('svg.overlay, svg.chip-marks'))
          seen.changed.add(element?.closest('section')?.id ?? 'page');
      }
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    Object.assign(window, {
      endCount: () => {
        observer.disconnect();
        OffscreenCanvas.prototype.transferToImageBitmap = transferToImageBitmap;
        return { drawn: seen.drawn, changed: [...seen.changed].sort() };
      },
    });
  });
  await browser.startTracing(page, { categories: ['-*', 'devtools.timeline', 'blink', 'cc'] });
  await gesture();
  const trace = await browser.stopTracing();
  const seen = await page.evaluate(() =>
    (window as unknown as { endCount: () => Pick<Work, 'drawn' | 'changed'> }).endCount(),
  );
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const of = (name: string) => traceEvents.filter((event) => event.name === name && event.ph !== 'E');
  const most = (values: (number | undefined)[]) => Math.max(0, ...values.map((value) => value ?? 0));
  return {
    ...seen,
    sorted: of('PaintArtifactCompositor::Update').length,
    styled: most(of('UpdateLayoutTree').map(({ args }) => args.elementCount)),
    laidOut: most(of('Layout').map(({ args }) => args.beginData?.totalObjects)),
  };
}

test('hover changes overlays and exact values, and neither layers nor the rest of the page', async ({
  page,
  browser,
}) => {
  await open(page);
  await run(page);
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  // What arrives after the run, such as the thumbnails of the strip, is no work of the hover.
  await rest(page);
  const box = await page.getByTestId('map-A').boundingBox();
  if (!box) throw new Error('map A is not on the page');
  const at = (k: number) =>
    page.mouse.move(box.x + box.width * (0.2 + 0.01 * k), box.y + box.height * (0.6 + 0.005 * k));
  for (let k = 0; k < 3; k++) {
    await at(k);
    await settle(page);
  }
  const work = await workOf(browser, page, async () => {
    for (let k = 3; k < 23; k++) {
      await at(k);
      await settle(page);
    }
  });
  expect(work.laidOut).toBeGreaterThan(0);
  expect(work.styled).toBeLessThan(40);
  expect(work.laidOut).toBeLessThan(300);
  expect(work).toMatchObject({ sorted: 0, drawn: 0, changed: ['attention'] });
});

test('going back to a branch draws no picture anew and leaves the other sections alone', async ({ page, browser }) => {
  await open(page);
  await run(page);
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  await page.mouse.move(0, 0);
  const press = async (key: string) => {
    await page.keyboard.press(key);
    await expect(page.getByTestId('branch-lambda_mixer_2')).toBeChecked({ checked: key === '[' });
    await settle(page);
  };
  const shown = () => page.locator('[data-testid="maps"] .cells canvas').nth(1);
  const picture = () => shown().evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  const before = await picture();
  await press('[');
  const between = await picture();
  // The thumbnails of a branch that is chosen for the first time are fetched.
  await rest(page);
  await press(']');
  const work = await workOf(browser, page, async () => {
    await press('[');
    expect(await picture()).toBe(between);
    await press(']');
    expect(await picture()).toBe(before);
  });
  expect(between).not.toBe(before);
  expect(work.styled).toBeLessThan(80);
  // The line below the strip names the branch of the small maps.
  expect(work).toMatchObject({ sorted: 0, drawn: 0, changed: ['attention', 'signal'] });
});
