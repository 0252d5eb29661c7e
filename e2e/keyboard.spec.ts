import { expect, type Page, test } from '@playwright/test';
import { expectState, open, run } from './page';

/** Presses Tab until the element has the focus, as a person without a pointer would. */
async function tabTo(page: Page, testId: string): Promise<void> {
  const there = () => page.evaluate((id) => document.activeElement?.getAttribute('data-testid') === id, testId);
  for (let k = 0; k < 120; k++) {
    if (await there()) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not reach ${testId}`);
}

test('a question is asked, answered, inspected and exported by the keyboard alone', async ({ page }) => {
  const complaints = await open(page);
  await tabTo(page, 'prompt-edit');
  await page.keyboard.press('Enter');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('Mary entered the kitchen . John entered the garden . Where is Mary ? Answer :');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('prompt-text')).toBeHidden();
  await tabTo(page, 'target-input');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('kitchen');
  await page.keyboard.press('Enter');
  await page.keyboard.press('ControlOrMeta+Enter');
  await expectState(page, 'done');
  await tabTo(page, 'layer-strip');
  await page.keyboard.press('End');
  await expect(page.getByTestId('layer-strip')).toHaveAttribute('aria-valuetext', /^layer 3,.*margin A/);
  await tabTo(page, 'maps');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Home');
  await expect(page.getByTestId('maps').locator('[aria-live]')).toHaveText(/^0 Mary to \d+ .*, A .*, B /);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect(page.getByTestId('inspector')).toContainText('locked');
  await expect(page).toHaveURL(/lock=\d+-0/);
  // A list keeps letters for its own search: back to the map, where they are the page's.
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('e');
  await expect(page.getByTestId('export')).toBeVisible();
  await tabTo(page, 'export-map-A-csv');
  const download = page.waitForEvent('download');
  await page.keyboard.press('Enter');
  expect((await download).suggestedFilename()).toMatch(/\.csv$/);
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('export')).toBeHidden();
  expect(complaints).toEqual([]);
});

/** A figure of the page, or several that share their stop, marked as `data-walked` by place. */
const FIGURES = '.figure[role], svg[role], canvas[role], .bars, .chips[role="listbox"]';
const GROUPS = '[data-one-stop], [role="slider"], [role="application"], .bars, .chips';

/** Goes through the page by Tab alone; marks every stop. */
async function walk(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const { dataset } of document.querySelectorAll<HTMLElement>('[data-stop], [data-walked]')) {
      delete dataset.stop;
      delete dataset.walked;
    }
    (document.activeElement as HTMLElement | null)?.blur();
    scrollTo(0, 0);
  });
  for (let k = 0; k < 400; k++) {
    await page.keyboard.press('Tab');
    const again = await page.evaluate(() => {
      const stop = document.activeElement as HTMLElement;
      if (stop === document.body) return false;
      if (stop.dataset.stop !== undefined) return true;
      stop.dataset.stop = '';
      return false;
    });
    if (again) return;
  }
  throw new Error('Tab does not come round');
}

/** Names of the groups of figures with how many stops each has. */
const stopsOfFigures = (page: Page) =>
  page.evaluate(
    ([figures, groups]) => {
      const seen = [...document.querySelectorAll<HTMLElement>(`main :is(${figures})`)].filter(
        (one) => one.checkVisibility() && !one.closest('[aria-hidden="true"], .rail'),
      );
      const all = new Set(seen.map((one) => one.closest<HTMLElement>(groups) ?? one));
      return [...all].map((one, k) => {
        one.dataset.walked = String(k);
        const stops = [one, ...one.querySelectorAll<HTMLElement>('*')].filter(({ dataset }) => dataset.stop === '');
        const name =
          one.dataset.testid ?? one.getAttribute('aria-label') ?? one.querySelector('[aria-label]')?.ariaLabel;
        return `${name}: ${stops.length}`;
      });
    },
    [FIGURES, GROUPS] as const,
  );

/** What a figure says: where the focus is in it, and what it tells readers of the screen. */
const saidBy = (page: Page, k: number) =>
  page.evaluate((at) => {
    const figure = document.querySelector(`[data-walked="${at}"]`);
    const stop = document.activeElement;
    const live = [...(figure?.querySelectorAll('[aria-live]') ?? [])].map((one) => one.textContent);
    return [stop?.getAttribute('aria-valuetext'), stop?.getAttribute('aria-label'), stop?.textContent, ...live].join();
  }, k);

async function expectOneStopEach(page: Page): Promise<string[]> {
  await walk(page);
  const found = await stopsOfFigures(page);
  expect(found.filter((one) => !one.endsWith(': 1'))).toEqual([]);
  for (const [k, name] of found.entries()) {
    const figure = page.locator(`[data-walked="${k}"]`);
    await figure.evaluate((one: HTMLElement) =>
      (one.dataset.stop === '' ? one : one.querySelector<HTMLElement>('[data-stop]'))?.focus(),
    );
    const before = await saidBy(page, k);
    // At an end one of the ways is closed; what is said aloud comes a moment later.
    let way = 0;
    const moved = async () => {
      await page.keyboard.press(['ArrowLeft', 'ArrowRight', 'ArrowUp'][way++ % 3]);
      return saidBy(page, k);
    };
    await expect.poll(moved, { message: name, intervals: [400] }).not.toBe(before);
  }
  return found;
}

test('every figure is one stop of the Tab key, and arrows move in it', async ({ page }) => {
  test.setTimeout(300_000);
  const complaints = await open(page, '/?tracks=true&diff=true&layer=1');
  await run(page);
  for (const id of ['lens', 'causal', 'allocation', 'faithfulness', 'generation'])
    await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  const folded = page.locator('main button[data-testid$="-more"][aria-expanded="false"]');
  while ((await folded.count()) > 0) await folded.first().click();
  await page.getByTestId('causal-run').click();
  await expect(page.getByTestId('agreement').locator('circle')).toHaveCount(24, { timeout: 40_000 });
  const first = await expectOneStopEach(page);
  for (const id of ['maps', 'tracks-figure', 'lens-figures', 'attribution-figures', 'causal-grid', 'agreement-figure'])
    expect(first).toContain(`${id}: 1`);
  await page.getByTestId('causal-intervene').check();
  await page.getByTestId('dose-run').click();
  await expect(page.getByTestId('dose-status')).toHaveAttribute('data-state', 'shown', { timeout: 40_000 });
  const second = await expectOneStopEach(page);
  for (const id of ['change-figures', 'dose-figure', 'allocation-figures']) expect(second).toContain(`${id}: 1`);
  expect(complaints).toEqual([]);
});
