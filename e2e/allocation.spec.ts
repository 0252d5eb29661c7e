import { readFile } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { more, open, run } from './page';

/** Brings the section onto the screen: those far below are made when one comes near them. */
async function approach(page: Page): Promise<void> {
  for (const id of ['lens', 'causal', 'allocation']) await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await expect(page.getByTestId('allocation-stacks').locator('rect.piece').first()).toBeAttached();
}

async function openAllocation(page: Page): Promise<string[]> {
  const complaints = await open(page);
  await run(page);
  await approach(page);
  return complaints;
}

const facts = (page: Page, slot: 'A' | 'B') => page.getByTestId(`allocated-${slot}`);
const row = (page: Page, slot: 'A' | 'B', name: RegExp) => facts(page, slot).getByRole('row', { name });

/** Tokens of a class as they are painted under the prompt. */
const painted = (page: Page, name: string) => page.locator(`.chip-list .chip.class-${name}`);

test('both models stand side by side: classes of the example, headline with its chance, subtraction in decibels', async ({
  page,
}) => {
  const complaints = await openAllocation(page);
  await expect(facts(page, 'A')).toContainText('this prompt');
  // 29 tokens: the needle, two sentences with other rooms, the question, the read-out; no token 0 of its own.
  await expect(painted(page, 'needle')).toHaveCount(5);
  await expect(row(page, 'A', /^needle \d/)).toContainText(/^\s*needle5/);
  await expect(row(page, 'B', /^first/).first()).toContainText('–');
  await expect(row(page, 'B', /^needle \/ context/)).toBeVisible();
  await expect(facts(page, 'B')).toContainText('cosine');
  await expect(facts(page, 'A')).not.toContainText('cosine');
  for (const slot of ['A', 'B']) {
    await expect(page.getByTestId(`headline-${slot}`)).toHaveAttribute('d', /M.*L/);
    await expect(page.getByTestId(`chance-${slot}`)).toBeAttached();
  }
  const bars = page.getByTestId('allocation-stacks').locator('rect.piece.class-needle');
  await expect(bars).toHaveCount(2 * 4);
  // Blocks only: no bar stands at the ends of the axis, and no name without one.
  await expect(page.getByTestId('allocation-stacks')).not.toContainText(/emb|out/);
  await expect(page.locator('#allocation .convention')).toContainText('parts do not add up to the output');
  await page.getByTestId('allocation-projection_share').check();
  await expect(row(page, 'A', /^needle \d/)).toContainText(/[+−]/);
  await expect(page).toHaveURL(/shares=projection_share/);
  const net = await row(page, 'B', /^needle \/ context/).textContent();
  await page.getByTestId('allocation-branch_1').check();
  await expect(page).toHaveURL(/part=branch_1/);
  await page.keyboard.press('0');
  await expect(page.locator('#allocation .convention')).toContainText('branch 1');
  expect(net).not.toBeNull();
  await page.getByTestId('allocation-table').click();
  const table = page.locator('#allocation').getByTestId('data-table');
  await expect(table.locator('tbody tr')).toHaveCount(8);
  await expect(table).toContainText('needle rejection, dB');
  await expect(table).not.toContainText('NaN');
  const download = page.waitForEvent('download');
  await page.getByTestId('allocation-json').click();
  const numbers = JSON.parse(await readFile(await (await download).path(), 'utf8'));
  expect(numbers.models.map(({ model }: { model: string }) => model)).toEqual(['demo-mamba2', 'demo-diff-mamba2']);
  expect(numbers.models[1].layers).toHaveLength(4);
  expect(complaints).toEqual([]);
});

test('a class under the pointer is shown under the prompt, in the map and in the layers, and a token shows its class', async ({
  page,
}) => {
  await openAllocation(page);
  await page.locator('#allocation').getByTestId('class-competing').hover();
  await expect(page.locator('.chip-list')).toHaveAttribute('data-token-class', 'competing');
  await expect(page.locator('#attention rect.class-columns.class-competing').first()).toBeAttached();
  await expect(page.getByTestId('allocation-stacks').locator('rect.selected')).toHaveCount(8);
  await expect(row(page, 'A', /^competing/).first()).toHaveClass(/strong/);
  const hit = await page.getByTestId('allocation-hit').boundingBox();
  if (!hit) throw new Error('the figure is not on the page');
  // The bottom of the first model's bar in layer 1 is its needle.
  const bar = page.getByTestId('allocation-stacks').locator('rect.piece.class-needle').nth(1);
  await bar.scrollIntoViewIfNeeded();
  const box = await bar.boundingBox();
  if (!box) throw new Error('no bar');
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await expect(page.locator('.chip-list')).toHaveAttribute('data-token-class', 'needle');
  await expect(facts(page, 'A')).toContainText('Layer 1');
  await page.mouse.down();
  await page.mouse.up();
  await expect(page).toHaveURL(/layer=1/);
  await page.locator('#prompt').scrollIntoViewIfNeeded();
  await page.getByTestId('chip-1').hover();
  await expect(row(page, 'A', /^competing/).first()).toHaveClass(/strong/);
});

test('classes are painted by dragging and by keys, measured anew, and a link keeps them', async ({ page }) => {
  await openAllocation(page);
  const before = await painted(page, 'competing').count();
  await page.locator('#prompt').scrollIntoViewIfNeeded();
  await page.getByTestId('click-competing').check();
  // "A bird sang outside." is filler.
  await page.getByTestId('chip-10').hover();
  await page.mouse.down();
  await page.getByTestId('chip-14').hover();
  await page.mouse.up();
  await expect(painted(page, 'competing')).toHaveCount(before + 5);
  await expect(page).toHaveURL(/competing=/);
  await approach(page);
  await expect(row(page, 'A', /^competing/).first()).toContainText(String(before + 5));
  await expect(row(page, 'A', /^filler/).first()).toContainText('–');
  await page.locator('#prompt').scrollIntoViewIfNeeded();
  // One that is painted is taken out again.
  await page.getByTestId('chip-12').click();
  await expect(painted(page, 'competing')).toHaveCount(before + 4);
  await page.getByTestId('chip-12').focus();
  await page.keyboard.press('Enter');
  await expect(painted(page, 'competing')).toHaveCount(before + 5);
  await page.waitForFunction(() => location.search.includes('competing='));
  await page.waitForTimeout(800);
  await page.reload();
  await expect(painted(page, 'competing')).toHaveCount(before + 5);
});

test('a batch is measured over stories and over own lines with classes, cancelled, and opened by its link', async ({
  page,
}) => {
  const complaints = await openAllocation(page);
  await more(page, 'allocation');
  await page.getByLabel('Stories of the batch').selectOption('400');
  await page.getByTestId('allocation-batch').click();
  await expect(page.getByTestId('allocation-status')).toContainText(/step \d+ of/);
  await page.getByTestId('allocation-batch').click();
  await expect(page.getByTestId('allocation-status')).toContainText('Cancelled', { timeout: 40_000 });
  await page.getByLabel('Stories of the batch').selectOption('25');
  await page.getByTestId('allocation-batch').click();
  await expect(facts(page, 'B')).toContainText('25 stories', { timeout: 60_000 });
  await expect(row(page, 'B', /^needle \d/)).toContainText(/ to /, { timeout: 60_000 });
  await expect(page.getByTestId('allocation-paired')).toContainText('p, paired');
  await expect(page.getByRole('link', { name: 'as safetensors' }).last()).toHaveAttribute('href', /tensors$/);

  await page.getByTestId('allocation-own').click();
  const prompt = 'Mary entered the kitchen. John entered the garden. Where is Mary? Answer:';
  const classes = { competing: [[26, 50]], question: [[51, 73]] };
  const line = JSON.stringify({ prompt, target: 'kitchen', needle: [0, 25], classes });
  await page.getByTestId('allocation-lines').fill('{"prompt": "Where?"}');
  await page.getByTestId('allocation-run').click();
  await expect(page.getByTestId('allocation-editor')).toContainText('Line 1 has no target.');
  await page.getByTestId('allocation-lines').fill(`${line}\n${line.replaceAll('Mary', 'Sandra')}`);
  await page.getByTestId('allocation-run').click();
  await expect(facts(page, 'B')).toContainText('2 prompts', { timeout: 40_000 });
  await expect(row(page, 'B', /^competing/).first()).toContainText('competing5');
  await expect(page).toHaveURL(/stories=/);
  await page.waitForTimeout(800);
  await page.reload();
  await approach(page);
  await expect(facts(page, 'B')).toContainText('2 prompts');
  await page.getByRole('button', { name: 'This prompt only' }).click();
  await expect(facts(page, 'B')).toContainText('this prompt');
  await expect(page).not.toHaveURL(/stories=/);
  expect(complaints).toEqual([]);
});

test('an answer of several tokens is scored whole beside the shares', async ({ page }) => {
  await openAllocation(page);
  await expect(page.getByTestId('allocation-answer')).toHaveCount(0);
  await page.getByTestId('target-input').fill('garden kitchen');
  await page.getByTestId('target-input').press('Enter');
  const scores = page.getByTestId('allocation-answer');
  await expect(scores).toContainText(/ln p of the whole answer: A −\d.*, B −\d/);
  const [whole] =
    (await page.getByTestId('whole-answer').getByRole('row').last().textContent())?.match(/−[\d.]+/) ?? [];
  await expect(scores).toContainText(`A ${whole}`);
});

for (const theme of ['light', 'dark'] as const)
  test(`axe finds nothing in the section, ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    await openAllocation(page);
    await page.getByTestId('allocation-table').click();
    const { violations } = await new AxeBuilder({ page }).include('#allocation').include('#prompt').analyze();
    expect(violations).toEqual([]);
  });
