import { expect, test } from '@playwright/test';
import { more, open, run } from './page';

test('F shows every form of the maps, each with its quantity; contributions add up', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  const legend = page.locator('.legend');
  const drawn = page.locator('[data-testid="maps"] .cells canvas');
  for (const quantity of ['block map', 'contribution to the target’s logit', 'norm of the contribution']) {
    await page.keyboard.press('f');
    await expect(legend).toContainText(quantity);
    await expect(drawn).toHaveCount(2);
    if (quantity.includes('logit')) await expect(page.getByTestId('inspector')).toContainText('layer’s contribution');
  }
  await expect(page).toHaveURL(/form=norm/);
  await page.keyboard.press('f');
  await expect(legend).toContainText('implicit attention');
  expect(complaints).toEqual([]);
});

test('a head is isolated from its bar or from the table, and the sum comes back', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('heads-open').click();
  const heads = page.getByTestId('heads-A');
  await heads.getByRole('button', { name: /^head 3,/ }).click();
  await expect(page.getByTestId('part-A')).toHaveValue('3');
  await page.getByTestId('heads-table-A').click();
  const table = page.getByTestId('channel-table-A');
  await table.getByRole('button', { name: 'entropy' }).click();
  await expect(table.getByRole('columnheader', { name: /entropy/ })).toHaveAttribute('aria-sort', 'descending');
  await table.getByRole('searchbox').fill('5');
  await table.getByRole('button', { name: '5', exact: true }).click();
  await expect(page.getByTestId('part-A')).toHaveValue('5');
  await heads.getByRole('button', { name: /^Σ/ }).click();
  await expect(page.getByTestId('reduce-select')).toHaveValue('mean');
});

test('differences of sizes are drawn on a scale with a sign, whose name says what is subtracted', async ({ page }) => {
  await open(page, '/?layer=1&reduce=mean_abs');
  await run(page);
  const legend = page.locator('.legend');
  await expect(legend.locator('text').first()).toHaveText(/^−/);
  await expect(page.locator('#attention .convention')).toContainText('size of branch 1 − λ times that of branch 2');
  await page.getByTestId('branch-mixer_1').check();
  await expect(legend.locator('text').first()).toHaveText('0');
});

test('the table of all units is as wide as the figure, in the order of the chosen statistic', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('heads-open').click();
  await page.getByTestId('heads-table-A').click();
  const table = page.getByTestId('channel-table-A');
  await page.getByTestId('heads-by').selectOption('entropy');
  await expect(table.getByRole('columnheader', { name: /entropy/ })).toHaveAttribute('aria-sort', 'descending');
  await expect(table.getByRole('img', { name: /8 values from/ })).toBeVisible();
  const [own, maps] = await Promise.all([table.boundingBox(), page.getByTestId('maps').boundingBox()]);
  expect(own?.width).toBeGreaterThanOrEqual((maps?.width ?? Number.NaN) - 2);
  await page.getByTestId('heads-by').selectOption('output_share');
  const best = await table.locator('tbody th button').first().innerText();
  await page.getByTestId('reduce-select').selectOption('one');
  await expect(page.getByTestId('part-A')).toHaveValue(best);
});

test('a map that has the page for itself is larger', async ({ page }) => {
  await open(page);
  await run(page);
  const width = async () => (await page.getByTestId('map-A').boundingBox())?.width ?? Number.NaN;
  const before = await width();
  await page
    .locator('#attention')
    .getByRole('button', { name: /Maximise/ })
    .click();
  await expect.poll(width).toBeGreaterThan(1.15 * before);
});

test('every figure has its numbers as a table', async ({ page }) => {
  await open(page);
  await run(page);
  for (const [section, rows] of [
    ['signal', 6],
    ['attention', 29],
    ['lens', 6],
  ] as const) {
    await page.getByTestId(`${section}-table`).click();
    const table = page.locator(`#${section}`).getByTestId('data-table');
    await expect(table.locator('tbody tr')).toHaveCount(rows);
    await expect(table).not.toContainText('NaN');
  }
});

test('the text is painted with what the read-out or the hovered row reads', async ({ page }) => {
  await open(page);
  await run(page);
  await more(page, 'prompt');
  await page.getByTestId('paint-A').check();
  const word = page.getByTestId('chip-3').locator('span').first();
  await expect(word).toHaveAttribute('style', /background/);
  const before = await word.getAttribute('style');
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  const box = await page.getByTestId('map-A').boundingBox();
  if (!box) throw new Error('the map is not on the page');
  await page.mouse.move(box.x + 5, box.y + (3.5 / 29) * box.height);
  await expect(word).not.toHaveAttribute('style', before ?? '');
});

test('M gives a section the page, Escape takes it back; the rail stands in for the strip', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  await page.locator('#lens').scrollIntoViewIfNeeded();
  await expect(page.getByTestId('rail')).toHaveClass(/shown/);
  await page.locator('#attention-title').hover();
  await page.keyboard.press('m');
  await expect(page.locator('#lens')).toBeHidden();
  await expect(page.getByTestId('map-A')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.locator('#lens')).toBeVisible();
});

test.describe('on a narrow screen', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('the touched pair stands at the foot of the screen', async ({ page }) => {
    await open(page);
    await run(page);
    await page.getByTestId('map-A').scrollIntoViewIfNeeded();
    const box = await page.getByTestId('map-A').boundingBox();
    if (!box) throw new Error('the map is not on the page');
    await page.mouse.move(box.x + box.width * 0.2, box.y + box.height * 0.5);
    await expect(page.getByTestId('docked-pair')).toContainText('→');
  });
});

test('the needle is dragged over the tokens, and candidates are edited in place', async ({ page }) => {
  await open(page);
  await page.getByRole('radio', { name: 'needle span' }).check();
  const [from, to] = [await page.getByTestId('chip-2').boundingBox(), await page.getByTestId('chip-5').boundingBox()];
  if (!from || !to) throw new Error('the tokens are not on the page');
  await page.mouse.move(from.x + 5, from.y + 8);
  await page.mouse.down();
  await page.mouse.move(to.x + 5, to.y + 8, { steps: 6 });
  await page.mouse.up();
  await expect(page.getByRole('complementary', { name: 'Read-out' })).toContainText('2–5');
  await page.getByTestId('candidates-edit').click();
  await page.getByTestId('candidates-text').fill('hallway, garden, kitchen');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('candidates-edit')).toHaveText('3 words');
});

test('small maps are of the form, reduction and branch of the large ones, and say so', async ({ page }) => {
  await open(page);
  await run(page);
  const caption = page.getByTestId('strip-caption');
  const strip = page.getByTestId('layer-strip');
  const picture = () =>
    strip
      .locator('canvas')
      .nth(1)
      .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  await expect(strip.locator('canvas')).toHaveCount(2 * 4 + 2);
  await expect(caption).toContainText('S6 α, signed mean over heads, difference');
  const before = await picture();
  const asked = page.waitForRequest((request) => /thumbnails\?.*form=norm/.test(request.url()));
  await page.getByTestId('form-norm').check();
  await asked;
  await expect(caption).toContainText('norm, difference');
  await expect(strip.locator('text', { hasText: 'norm' })).toHaveCount(2);
  await expect(strip.locator('canvas')).toHaveCount(2 * 4 + 2);
  await expect.poll(picture).not.toBe(before);
  await page.getByTestId('form-s6').check();
  await more(page, 'attention');
  await page.getByTestId('span-select').selectOption('norm');
  await expect(caption).toContainText('each layer by itself');
});

test('maps in view are answered before small ones are asked for', async ({ page }) => {
  await open(page);
  await run(page);
  await expect(page.getByTestId('layer-strip').locator('canvas')).toHaveCount(2 * 4 + 2);
  const order: string[] = [];
  page.on('request', (request) => {
    if (/thumbnails\?.*reduce=max/.test(request.url())) order.push('thumbnails asked');
  });
  page.on('requestfinished', (request) => {
    if (/\/map\?.*reduce=max/.test(request.url())) order.push('map');
  });
  await page.route(/\/map\?.*reduce=max/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 400));
    await route.continue();
  });
  await page.getByTestId('reduce-select').selectOption('max');
  await expect(page.getByTestId('inspector')).toContainText('is being made');
  await expect.poll(() => order.filter((entry) => entry === 'thumbnails asked').length).toBe(2);
  // One of the plain block, three of the equation.
  expect(order.slice(0, 4)).toEqual(Array(4).fill('map'));
});

test('heads are one stop of the Tab key, and arrows go on from it', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('heads-open').click();
  const heads = page.getByTestId('heads-A');
  await expect(heads.locator('.bars button[tabindex="0"]')).toHaveCount(1);
  const layer = await page.getByTestId('layer-strip').getAttribute('aria-valuenow');
  await heads.locator('.bars button').first().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await expect(heads.locator('.bars button').nth(2)).toBeFocused();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expect(heads.locator('.bars button').last()).toHaveAttribute('aria-pressed', 'true');
  await expect(heads.locator('.bars button[aria-pressed="true"]')).toHaveAttribute('tabindex', '0');
  await expect(page.getByTestId('layer-strip')).toHaveAttribute('aria-valuenow', layer as string);
});

test('each figure says in a sentence what it shows first, and the numbers lead there', async ({ page }) => {
  await open(page, '/?layer=2');
  await run(page);
  const signal = page.getByTestId('signal-finding');
  await expect(signal).toContainText(/margin at the output: .* in A, .* in B\. It changes most in layer \d of A/);
  await signal.getByRole('button').first().click();
  const layer = (await signal.getByRole('button').first().innerText()).replace('layer ', '');
  await expect(page.getByTestId('layer-strip')).toHaveAttribute('aria-valuenow', layer);
  const maps = page.getByTestId('attention-finding');
  await expect(maps).toContainText(/^Position \d+ reads most from .* % of its row\).*; the needle is/);
  const source = maps.getByRole('button').first();
  const [position] = (await source.innerText()).split(' ');
  await source.click();
  await expect(page).toHaveURL(new RegExp(`lock=\\d+-${position}`));
  // The sentence is of the first of the sources that the inspector lists.
  const first = page.getByTestId('inspector').locator('.block', { hasText: 'reads most' }).locator('tbody th').first();
  await expect(first).toContainText(position);
});
