import { expect, type Page, test } from '@playwright/test';
import { open, pickModel, run } from './page';

async function boxOf(page: Page, testId: string) {
  const box = await page.getByTestId(testId).boundingBox();
  if (!box) throw new Error(`${testId} is not on the page`);
  return box;
}

/** The cells of one picture as drawn, for comparison. */
const picture = (page: Page, index: number) =>
  page
    .locator('[data-testid="maps"] .cells canvas')
    .nth(index)
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());

test('a drag zooms both maps, the link keeps it, a double click shows all', async ({ page }) => {
  await open(page);
  await run(page);
  const maps = page.getByTestId('maps');
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  const { x, y, width, height } = await boxOf(page, 'map-A');
  await page.mouse.move(x + width * 0.1, y + height * 0.5);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.2, y + height * 0.7);
  await page.mouse.move(x + width * 0.4, y + height * 0.9);
  await page.mouse.up();
  await expect(maps).toHaveAttribute('data-window', /^\d+-\d+-\d+-\d+$/);
  const [row0, row1, column0, column1] = ((await maps.getAttribute('data-window')) ?? '').split('-').map(Number);
  expect(row0).toBeGreaterThan(column0);
  expect(row1 - row0).toBeLessThan(20);
  expect(column1 - column0).toBeLessThan(20);
  await expect(page).toHaveURL(/window=\d+-\d+-\d+-\d+/);
  // The same place in both maps is the same pair of tokens.
  await page.mouse.move(x + 5, y + height - 5);
  await expect(page.getByTestId('map-B')).toHaveAttribute('data-hover-row', String(row1 - 1));
  await expect(page.getByTestId('map-B')).toHaveAttribute('data-hover-col', String(column0));
  await page.getByTestId('map-B').dblclick();
  await expect(maps).toHaveAttribute('data-window', '');
});

test('the wheel zooms with Ctrl only, and keys zoom in a focused map', async ({ page }) => {
  await open(page);
  await run(page);
  const maps = page.getByTestId('maps');
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  const { x, y, width, height } = await boxOf(page, 'map-A');
  await page.mouse.move(x + width * 0.3, y + height * 0.6);
  await page.mouse.wheel(0, -10);
  await expect(maps).toHaveAttribute('data-window', '');
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -240);
  await page.keyboard.up('Control');
  await expect(maps).not.toHaveAttribute('data-window', '');
  await page.keyboard.press('0');
  await expect(maps).toHaveAttribute('data-window', '');
  await maps.focus();
  await page.keyboard.press('+');
  await expect(maps).not.toHaveAttribute('data-window', '');
  await page.getByTestId('zoom-reset').click();
  await expect(maps).toHaveAttribute('data-window', '');
});

test('B − A is a third map, and A minus itself is nothing', async ({ page }) => {
  await open(page);
  await pickModel(page, 'b', (await page.getByTestId('model-a').locator('b').textContent()) ?? '');
  await run(page);
  await page.keyboard.press('d');
  await expect(page.getByTestId('map-difference')).toBeVisible();
  const colours = await page
    .locator('[data-testid="maps"] .cells canvas')
    .nth(2)
    .evaluate((canvas: HTMLCanvasElement) => {
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return new Set(new Uint32Array(new Uint8Array(pixels).buffer)).size;
    });
  // Zero and "not causal", nothing else.
  expect(colours).toBe(2);
});

test('all branches of a differential block stand on one scale', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('all-branches').check();
  for (const branch of ['mixer_1', 'mixer_2', 'lambda_mixer_2', 'diff'])
    await expect(page.getByTestId(`map-B-${branch}`)).toBeVisible();
  await expect(page.locator('.legend .ramp')).toHaveCount(1);
  await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(4);
  expect(await picture(page, 1)).not.toBe(await picture(page, 2));
});

test('saturation is a choice that the picture and the legend follow', async ({ page }) => {
  await open(page);
  await run(page);
  await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(2);
  const before = await picture(page, 0);
  await page.getByTestId('clip-select').selectOption('0.95');
  await expect(page.locator('.legend')).toContainText('95th percentile');
  expect(await picture(page, 0)).not.toBe(before);
  await page.getByTestId('clip-select').selectOption('own');
  await page.getByTestId('clip-limit').fill('0.25');
  await expect(page.locator('.legend')).toContainText('saturates at 0.250');
});
