import { expect, test } from '@playwright/test';
import { more, open, run } from './page';

test('every map is put to the test: areas of both models, norms frozen too', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  for (const id of ['lens', 'causal', 'allocation', 'faithfulness'])
    await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await expect(page.getByTestId('faithful-A')).toContainText('Not measured yet.');
  await page.getByTestId('faithfulness-run').click();
  await expect(page.getByTestId('faithfulness-status')).toHaveAttribute('data-state', 'shown', { timeout: 60_000 });
  const figure = page.getByTestId('faithfulness-areas');
  await expect(figure.locator('circle')).toHaveCount(2 * 10);
  await expect(figure.locator('rect')).toHaveCount(2 * 10);
  const stop = page.getByTestId('areas-figure');
  await stop.focus();
  await expect(stop).toHaveAttribute('aria-valuetext', /^S6 α: A deletion .*, insertion .*, B deletion/);
  await page.keyboard.press('ArrowDown');
  await expect(stop).toHaveAttribute('aria-valuetext', /^block: /);
  const norm = page.getByTestId('faithful-B').getByRole('row', { name: /^norm / });
  const rescaled = await norm.textContent();
  await more(page, 'faithfulness');
  await page.getByTestId('faithfulness-frozen').check();
  await expect(norm).not.toHaveText(rescaled ?? '');
  await page.getByTestId('faithfulness-table').click();
  await expect(page.locator('#faithfulness').getByTestId('data-table').locator('tbody tr')).toHaveCount(20);
  expect(complaints).toEqual([]);
});

test('own prompts are measured: one a line, begun from the prompt on the page', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  for (const id of ['lens', 'causal', 'allocation', 'faithfulness'])
    await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await more(page, 'faithfulness');
  await page.getByTestId('faithfulness-own').click();
  const lines = page.getByTestId('faithfulness-own-lines');
  await expect(lines).toHaveValue(/^\{"prompt":"Mary/);
  await lines.fill('{"prompt": "Where?"}');
  await page.getByTestId('faithfulness-own-run').click();
  await expect(page.getByTestId('faithfulness-editor')).toContainText('Line 1 has no target.');
  const line = (name: string) =>
    JSON.stringify({ prompt: `${name} went to the garden. Where is ${name}? Answer:`, target: 'garden' });
  await lines.fill(`${line('Mary')}\n${line('John')}`);
  await page.getByTestId('faithfulness-own-run').click();
  await expect(page.locator('#faithfulness')).toContainText('Areas over 2 prompts', { timeout: 60_000 });
  await expect(page.getByTestId('faithful-B').locator('tbody tr')).toHaveCount(10, { timeout: 60_000 });
  expect(complaints).toEqual([]);
});
