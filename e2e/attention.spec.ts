import { expect, type Page, test } from '@playwright/test';
import { coloursOf, more, open, pickModel, run } from './page';

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

/** Turns the wheel over map A and takes both pictures of it: on the sheet while it moves, and of the page below at rest. */
const movingAndResting = (page: Page, turns: readonly number[]) =>
  page.evaluate(async (deltas) => {
    const surface = document.querySelector('[data-testid="map-A"]') as HTMLElement;
    const figure = document.querySelector('[data-testid="maps"]') as HTMLElement;
    const frame = () => new Promise(requestAnimationFrame);
    const sheet = () => document.querySelector<HTMLCanvasElement>('[data-testid="moving-maps"]');
    const box = surface.getBoundingClientRect();
    const [left, top] = [box.left - figure.getBoundingClientRect().left, box.top - figure.getBoundingClientRect().top];
    const copy = (canvas: HTMLCanvasElement, ...from: [number, number, number, number]) => {
      const pen = new OffscreenCanvas(box.width, box.height).getContext('2d');
      if (!pen) throw new Error('no context');
      pen.imageSmoothingEnabled = false;
      pen.drawImage(canvas, ...from, 0, 0, box.width, box.height);
      return new Uint32Array(pen.getImageData(0, 0, box.width, box.height).data.buffer);
    };
    for (const deltaY of deltas) {
      const at = { clientX: box.left + 0.3 * box.width, clientY: box.top + 0.6 * box.height };
      surface.dispatchEvent(new WheelEvent('wheel', { deltaY, ctrlKey: true, cancelable: true, ...at }));
      await frame();
    }
    let moving: Uint32Array | undefined;
    for (let k = 0; k < 600 && (sheet() || !moving); k++) {
      const shown = sheet();
      if (shown?.style.visibility === 'visible') moving = copy(shown, left, top, box.width, box.height);
      await frame();
    }
    const below = document.querySelector('[data-testid="maps"] .cells canvas') as HTMLCanvasElement;
    const resting = copy(below, 0, 0, below.width, below.height);
    const pixels = resting.length;
    const differing = moving ? resting.reduce((sum, pixel, k) => sum + Number(pixel !== moving[k]), 0) : pixels;
    return { gone: !sheet(), differing: differing / pixels, colours: new Set(moving).size };
  }, turns);

test('maps that move are drawn as they are at rest, and zooming back moves nothing', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  const maps = page.getByTestId('maps');
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  await page.mouse.move(0, 0);
  // The browser worker may still be starting in the first gesture.
  await movingAndResting(page, [-120, 120]);
  const seen = await movingAndResting(page, [-120, -120, -120]);
  expect(seen.gone).toBe(true);
  expect(seen.colours).toBeGreaterThan(10);
  expect(seen.differing).toBeLessThan(0.002);
  await expect(maps).toHaveAttribute('data-window', /^\d+-\d+-\d+-\d+$/);
  const back = await movingAndResting(page, [900, 900]);
  expect(back.gone).toBe(true);
  expect(back.differing).toBeLessThan(0.002);
  await expect(maps).toHaveAttribute('data-window', '');
  expect(complaints).toEqual([]);
});

test('a zoomed map of many tokens is at rest what a link to it shows', async ({ page }) => {
  await open(page);
  await page.getByTestId('prompt-edit').click();
  await page.getByTestId('prompt-text').fill(`${'Mary went to the garden . '.repeat(100)}Where is Mary ?`);
  await page.getByTestId('prompt-apply').click();
  await run(page);
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(2);
  await page.mouse.move(0, 0);
  await movingAndResting(page, [-60, 60]);
  const seen = await movingAndResting(page, [-60, -60, -60]);
  expect(seen.gone).toBe(true);
  expect(seen.colours).toBeGreaterThan(10);
  await expect(page).toHaveURL(/window=\d+-\d+-\d+-\d+/);
  const rested = [await picture(page, 0), await picture(page, 1)];
  await page.reload();
  await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(2);
  expect([await picture(page, 0), await picture(page, 1)]).toEqual(rested);
});

test('B − A is a third map, and A minus itself is nothing', async ({ page }) => {
  await open(page);
  await pickModel(page, 'b', (await page.getByTestId('model-a').locator('b').textContent()) ?? '');
  await run(page);
  await page.keyboard.press('d');
  await expect(page.getByTestId('map-difference')).toBeVisible();
  const colours = await coloursOf(page.locator('[data-testid="maps"] .cells canvas').nth(2));
  // Zero and "not causal", nothing else.
  expect(colours).toBe(2);
});

test('all branches of a differential block stand on one scale', async ({ page }) => {
  await open(page);
  await run(page);
  await more(page, 'attention');
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
  await more(page, 'attention');
  await page.getByTestId('clip-select').selectOption('0.95');
  await expect(page.locator('.legend')).toContainText('95th percentile');
  expect(await picture(page, 0)).not.toBe(before);
  await page.getByTestId('clip-select').selectOption('own');
  await page.getByTestId('clip-limit').fill('0.25');
  await expect(page.locator('.legend')).toContainText('saturates at 0.250');
});

test('parts of the block can be left out: each check is another map, and the link and the export name it', async ({
  page,
}) => {
  await open(page);
  await run(page);
  await expect(page.getByTestId('without-conv')).toHaveCount(0);
  await page.keyboard.press('f');
  await expect(page.locator('.legend')).toContainText('block map');
  // Both maps have one scale: A's picture is not the last one before B's is there.
  await expect(page.locator('[data-testid="maps"] .cells canvas')).toHaveCount(2);
  const pictures = [await picture(page, 0)];
  for (const part of ['conv', 'activation', 'gate', 'norm', 'D']) {
    await page.getByTestId(`without-${part}`).check();
    await expect(page).toHaveURL(new RegExp(`without=[\\w,]*${part}`));
    await expect.poll(() => picture(page, 0)).not.toBe(pictures.at(-1));
    pictures.push(await picture(page, 0));
  }
  expect(new Set(pictures).size).toBe(6);
  await page.keyboard.press('e');
  await expect(page.getByTestId('export-map-A-csv')).toHaveAttribute(
    'href',
    /without=conv%2Cactivation%2Cgate%2Cnorm%2CD/,
  );
  await page.keyboard.press('Escape');
  for (const part of ['conv', 'activation', 'gate', 'norm', 'D']) await page.getByTestId(`without-${part}`).uncheck();
  await expect.poll(() => picture(page, 0)).toBe(pictures[0]);
  await expect(page).not.toHaveURL(/without=/);
});

test('layers are multiplied: shares, rollout, normalised rollout and attribution, with their numbers', async ({
  page,
}) => {
  const complaints = await open(page, '/?layer=1');
  await run(page);
  await more(page, 'attention');
  const span = page.getByTestId('span-select');
  const refused: string[] = [];
  page.on('response', (response) => response.status() >= 400 && refused.push(response.url()));
  // A difference of two maps has no row sums to divide by: model B says so, unasked, and model A is divided.
  const slotOf = (method: string) => (method === 'normalised' ? 0 : 1);
  const pictures = [await picture(page, 1)];
  for (const [method, quantity] of [
    ['norm', 'share of the residual stream, by norm'],
    ['plain', 'product of I + α'],
    ['normalised', 'rows divided by their sums'],
    ['attribution', '(∇v ⊙ α)⁺'],
  ]) {
    await span.selectOption(method);
    await expect(page.locator('.legend')).toContainText(quantity);
    const sentence = page.getByTestId('maps').getByText('is a difference of two maps');
    if (method === 'normalised') await expect(sentence).toBeVisible();
    else await expect.poll(() => picture(page, 1)).not.toBe(pictures.at(-1));
    await expect.poll(() => picture(page, slotOf(method))).not.toBe(pictures.at(-1));
    pictures.push(await picture(page, slotOf(method)));
    await expect(page).toHaveURL(new RegExp(`layers=${method}`));
    // Rows of signed values may have no sum to divide by.
    const reduced = method === 'plain' || method === 'normalised';
    await expect(page.getByTestId('reduce-select')).toHaveCount(reduced ? 1 : 0);
    if (reduced)
      await expect(page.getByTestId('reduce-select')).toHaveValue(method === 'normalised' ? 'mean_abs' : 'mean');
    await page.keyboard.press('e');
    const slot = slotOf(method);
    const href = await page.getByTestId(`export-map-${'AB'[slot]}-csv`).getAttribute('href');
    expect(href).toContain(`what=rollout&model=${slot}&method=${method}&start=1`);
    if (slot === 0) await expect(page.getByTestId('export-map-B-csv')).toHaveCount(0);
    const csv = await (await page.request.get(href ?? '')).text();
    expect(csv).toContain(`# method: ${method}`);
    expect(csv.trim().split('\n').at(-1)?.split(',')).toHaveLength(30);
    await page.keyboard.press('Escape');
  }
  expect(new Set(pictures).size).toBe(5);
  await page.keyboard.press('Home');
  await expect(page).toHaveURL(/layer=0/);
  await expect.poll(() => picture(page, 1)).not.toBe(pictures[4]);
  await span.selectOption('layer');
  await expect(page.locator('.legend')).toContainText('implicit attention α');
  expect([...complaints, ...refused]).toEqual([]);
});

test('the largest sources of a row are those of the model that one asks for', async ({ page }) => {
  await open(page);
  await run(page);
  const sources = page.getByTestId('inspector').locator('.block', { hasText: 'reads most' });
  await expect(page.getByRole('button', { name: 'Rank by A' })).toHaveAttribute('aria-pressed', 'true');
  const magnitudes = async (column: number) =>
    (await sources.locator(`tbody td:nth-child(${column})`).allTextContents()).map((text) =>
      Math.abs(Number(text.replaceAll('−', '-'))),
    );
  const descending = (values: number[]) => values.every((value, k) => k === 0 || value <= values[k - 1]);
  expect(descending(await magnitudes(2))).toBe(true);
  expect(descending(await magnitudes(3))).toBe(false);
  await page.getByRole('button', { name: 'Rank by B' }).click();
  expect(descending(await magnitudes(3))).toBe(true);
});
