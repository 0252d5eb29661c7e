import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { coloursOf, more, open, run } from './page';

/** Runs a batch of generated stories to its end. */
async function batch(page: Page, stories: number): Promise<void> {
  await page.getByTestId('batch-edit').click();
  await page.getByTestId('batch-stories').fill(String(stories));
  await page.getByTestId('batch-demo').click();
  await expect(page.getByTestId('batch-status')).toHaveAttribute('data-state', 'done', { timeout: 30_000 });
}

const cells = (page: Page, section: string) =>
  page.locator(`#${section}`).getByTestId('data-table').locator('tbody tr');

test('a batch of stories gives means, intervals and the paired difference, and the link keeps it', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  await expect(page.getByTestId('signal-key')).toContainText('n = 1: no interval');
  await page.getByTestId('metric-p').click();
  // Both models are certain from block 0 on: A is seen under B.
  await expect(page.getByTestId('line-together')).toHaveCount(1);
  const certain = page.getByTestId('certain');
  await expect(certain).toContainText('from layer 0 on');
  await certain.getByRole('button').click();
  await expect(page.getByRole('complementary', { name: 'Selected layer' })).toContainText('Log-odds.');
  await page.getByTestId('metric-p').click();
  await batch(page, 12);
  await expect(page.getByTestId('signal-key')).toContainText('n = 12, bootstrap 95 %');
  await expect(page.getByTestId('signal-difference')).toBeVisible();
  await expect(page.getByTestId('signal-curve').locator('path.band')).toHaveCount(2);
  const aside = page.getByRole('complementary', { name: 'Selected layer' });
  await expect(aside).toContainText('B − A, paired mean');
  await expect(aside).toContainText('p, two-sided');
  await page.getByTestId('signal-table').click();
  await expect(page.locator('#signal').getByTestId('data-table')).toContainText('p(target), mean of 12 A');
  expect((await new AxeBuilder({ page }).include('#signal').include('#prompt').analyze()).violations).toEqual([]);
  await expect(page).toHaveURL(/batch=/);
  await page.reload();
  await expect(page.getByTestId('signal-key')).toContainText('n = 12', { timeout: 30_000 });
  await page.getByTestId('batch-edit').click();
  await page.getByTestId('batch-drop').click();
  await expect(page.getByTestId('signal-key')).toContainText('n = 1: no interval');
  expect(complaints).toEqual([]);
});

test('pasted lines are checked by line, run, and can be cancelled', async ({ page }) => {
  await open(page);
  await page.getByTestId('batch-edit').click();
  const lines = page.getByTestId('batch-lines');
  await lines.fill('{"prompt": "Where is Mary? Answer:"}');
  await page.getByTestId('batch-run').click();
  await expect(page.getByTestId('batch-editor')).toContainText('Line 1 has no target.');
  await lines.fill('Mary went to the garden. Where is Mary? Answer:\tgarden\tMary went to the garden.');
  await page.getByTestId('batch-run').click();
  // Without a run to stand on, the batch brings one.
  await expect(page.getByTestId('signal-key')).toContainText('n = 1: no interval', { timeout: 30_000 });
  await expect(page.getByTestId('batch-status')).toHaveAttribute('data-state', 'done', { timeout: 30_000 });
  await expect(page.getByRole('complementary', { name: 'Selected layer' })).toContainText('mean, n = 1');
  await page.reload();
  await page.getByTestId('batch-edit').click();
  // In JSON, as the server keeps them.
  await expect(page.getByTestId('batch-lines')).toHaveValue(/"prompt":.*"target":/);
  const bare = new URL(page.url());
  bare.searchParams.delete('batch');
  await page.goto(bare.href);
  await page.getByTestId('batch-edit').click();
  await expect(page.getByTestId('batch-lines')).toHaveValue('');
  await page.getByTestId('batch-reopen').click();
  await expect(page.getByTestId('batch-lines')).toHaveValue(/"prompt":.*"target":/);
  await expect(page).toHaveURL(/batch=/);
  await page.getByTestId('batch-stories').fill('400');
  await page.getByTestId('batch-demo').click();
  await page.getByTestId('batch-cancel').click();
  await expect(page.getByTestId('batch-status')).toHaveAttribute('data-state', 'cancelled', { timeout: 30_000 });
});

test('the preset shows needle probability as in the paper, with its labels', async ({ page }) => {
  await open(page);
  await run(page);
  await page.keyboard.press('2');
  await more(page, 'signal');
  await page.getByTestId('paper').check();
  await expect(page.getByTestId('metric-p')).toBeChecked();
  await expect(page.getByTestId('axis-linear')).toBeChecked();
  const labels = page.getByTestId('signal-curve').locator('text.axis', { hasText: 'in the paper' }).locator('~ text');
  await expect(labels).toHaveText(['1', '2', '3', '4']);
  await page.keyboard.press('3');
  await expect(page.getByTestId('paper')).not.toBeChecked();
});

test('the logit is taken apart, adds up, and is linked to the layer axis', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  await page.locator('#lens').scrollIntoViewIfNeeded();
  const plot = page.getByTestId('waterfall-B');
  await plot.scrollIntoViewIfNeeded();
  const aside = page.getByRole('complementary', { name: 'Contributions to the logit' });
  await expect(aside).toContainText('branch 1');
  const check = page.getByTestId('sum-check').locator('tr');
  const [sum, logit] = await Promise.all(
    ['sum of all parts', 'logit'].map((name) => check.filter({ hasText: name }).locator('td').allTextContents()),
  );
  expect(sum).toEqual(logit);
  const box = await plot.boundingBox();
  if (!box) throw new Error('the waterfall is not on the page');
  await page.mouse.move(box.x + 80 + (box.width - 80) * (4.5 / 6), box.y + box.height / 2);
  await expect(aside).toContainText('Layer 3 under the pointer');
  await expect(page.getByTestId('waterfall-A').locator('[data-hover-layer="3"]')).toHaveCount(1);
  await page.getByTestId('attribution-table').click();
  await expect(cells(page, 'attribution')).toHaveCount(1 + 4 + 4 * 2 + 1);
  expect((await new AxeBuilder({ page }).include('#attribution').analyze()).violations).toEqual([]);
  expect(complaints).toEqual([]);
});

test('tracks say what each token does, and are linked to the tokens', async ({ page }) => {
  await open(page);
  await run(page);
  await more(page, 'prompt');
  await page.getByTestId('tracks-toggle').check();
  const box = await page.getByTestId('tracks-hit').boundingBox();
  if (!box) throw new Error('the tracks are not on the page');
  await page.mouse.move(box.x + (8.5 / 29) * box.width, box.y + 20);
  const aside = page.getByRole('complementary', { name: 'Tracks at a token' });
  await expect(aside).toContainText('8 hallway');
  await expect(aside).toContainText('half-life, tokens');
  const before = await aside.locator('td').allTextContents();
  await page.getByTestId('tracks-mixer_2').check();
  await page.mouse.move(box.x + (8.5 / 29) * box.width, box.y + 20);
  await expect.poll(() => aside.locator('td').allTextContents()).not.toEqual(before);
  await page.getByTestId('tracks-table').click();
  await expect(cells(page, 'tracks')).toHaveCount(29);
  await expect(page).toHaveURL(/tracks=true/);
  expect((await new AxeBuilder({ page }).include('#tracks').analyze()).violations).toEqual([]);
});

test('the lens is read through a tuned lens, coloured by KL, and as B − A', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  const curve = page.getByTestId('signal-curve');
  const marks = curve.locator('.mark');
  // Two models, each with its embedding, its blocks and its output.
  await expect(marks).toHaveCount(12);
  await more(page, 'signal');
  await page.getByTestId('signal-lens-tuned').check();
  await expect(page).toHaveURL(/through=tuned/);
  // A tuned lens says nothing of the embedding.
  await expect(marks).toHaveCount(10);
  await expect(page.getByTestId('grid-lens-tuned')).toBeChecked();
  await page.getByTestId('lens-colour-kl').check();
  await expect(page.locator('#lens .scale')).toContainText('KL to the output');
  await more(page, 'lens');
  await page.getByTestId('lens-difference-toggle').check();
  const grid = page.getByTestId('lens-difference');
  await grid.scrollIntoViewIfNeeded();
  await expect(grid.locator('canvas')).toBeVisible();
  expect(await coloursOf(grid.locator('canvas'))).toBeGreaterThan(10);
  expect((await new AxeBuilder({ page }).include('#lens').analyze()).violations).toEqual([]);
  expect(complaints).toEqual([]);
});
