import { expect, test } from '@playwright/test';
import { open, run } from './page';

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
  const norm = page.getByTestId('faithful-B').getByRole('row', { name: /^norm / });
  const rescaled = await norm.textContent();
  await page.getByTestId('faithfulness-frozen').check();
  await expect(norm).not.toHaveText(rescaled ?? '');
  await page.getByTestId('faithfulness-table').click();
  await expect(page.locator('#faithfulness').getByTestId('data-table').locator('tbody tr')).toHaveCount(20);
  expect(complaints).toEqual([]);
});
