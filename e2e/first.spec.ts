import { expect, test } from '@playwright/test';
import { FIRST_LOAD_BUDGET, loadedScripts } from '@/scripts/lib/first-load.mjs';
import { expectState } from './page';

/** A probability as the table writes it: near 1 by what is missing. */
const probability = (text: string): number => {
  const [first, missing] = text.replaceAll('−', '-').split(' - ');
  return missing === undefined ? Number(first) : 1 - Number(missing);
};

test('a first visit asks a question whose answer comes about over the blocks, and says so', async ({ page }) => {
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto('/');
  await expect(page.getByTestId('model-a')).toContainText('stories-mamba2');
  await expect(page.getByTestId('model-b')).toContainText('stories-diff-mamba2');
  await page.getByTestId('run-button').click();
  await expectState(page, 'done');
  await expect(page.getByTestId('metric-p')).toBeChecked();
  await expect(page).toHaveURL(/example=stories-person.*log=false/);
  await expect(page).toHaveURL(/layer=[3-6]/);
  await expect(page.getByTestId('signal-finding')).toContainText('p(target) at the output');
  await page.getByTestId('signal-table').click();
  const table = page.locator('#signal').getByTestId('data-table');
  await expect(table.locator('tbody tr')).not.toHaveCount(0);
  const rows = await table
    .locator('tbody tr')
    .evaluateAll((all) => all.map((row) => [...row.querySelectorAll('th, td')].map((cell) => cell.textContent ?? '')));
  const blocks = rows.filter(([name]) => name.startsWith('layer'));
  expect(blocks).toHaveLength(8);
  for (const model of [1, 2]) {
    const p = blocks.map((row) => probability(row[model]));
    const final = p[p.length - 1];
    expect(final).toBeGreaterThan(0.5);
    expect(p[0]).toBeLessThan(0.5 * final);
    expect(p.filter((value) => value > 0.1 * final && value < 0.9 * final).length).toBeGreaterThanOrEqual(2);
  }
  for (const id of ['lens', 'causal', 'allocation']) await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await expect(page.getByTestId('allocation-finding')).toContainText('The needle’s part of the context');
  expect(complaints).toEqual([]);
});

test('the first screen loads no more scripts than it may, and no schemas', async ({ page }) => {
  const sources: Promise<string>[] = [];
  page.on('response', (response) => {
    if (/\.js(\?|$)/.test(response.url())) sources.push(response.text());
  });
  await page.goto('/');
  await expect(page.getByTestId('run-button')).toBeEnabled();
  await page.waitForLoadState('networkidle');
  const bytes = await loadedScripts(page);
  expect(bytes).toBeGreaterThan(100_000);
  expect(bytes).toBeLessThanOrEqual(FIRST_LOAD_BUDGET);
  expect((await Promise.all(sources)).filter((source) => source.includes('ZodError'))).toEqual([]);
});
