import { expect, type Page, test } from '@playwright/test';
import { expectState, open } from './page';

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
