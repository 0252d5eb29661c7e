import { expect, test } from '@playwright/test';
import { expectState, open, run } from './page';

test.use({ viewport: { width: 390, height: 844 } });

test('a long prompt shows four lines, and its read-out among them', async ({ page }) => {
  await open(page);
  const words = Array.from({ length: 30 }, () => 'Mary entered the kitchen .').join(' ');
  await page.getByTestId('prompt-edit').click();
  await page.getByTestId('prompt-text').fill(`${words} Where is Mary ? Answer :`);
  await page.getByTestId('prompt-apply').click();
  await page.getByTestId('run-button').click();
  await expectState(page, 'done');
  const chips = page.getByRole('listbox', { name: 'Prompt tokens' });
  const inside = () =>
    chips.evaluate((box) => {
      const frame = box.getBoundingClientRect();
      const chip = box.querySelector('[aria-selected="true"]')?.getBoundingClientRect();
      const lines = new Set([...box.querySelectorAll<HTMLElement>('[data-token]')].map(({ offsetTop }) => offsetTop));
      const [first, second] = [...lines].sort((a, b) => a - b);
      return {
        shown: frame.height / (second - first),
        readOut: chip !== undefined && chip.top >= frame.top && chip.bottom <= frame.bottom,
      };
    });
  expect((await inside()).shown).toBeLessThan(4.2);
  expect((await inside()).readOut).toBe(true);
  await page.getByTestId('chip-3').click();
  await expect.poll(async () => (await inside()).readOut).toBe(true);
  // Lines break elsewhere in another width: the read-out stays in view.
  await page.setViewportSize({ width: 700, height: 844 });
  await expect.poll(async () => (await inside()).readOut).toBe(true);
});

test('the export dialog fits: nothing in it is cut', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('export-button').click();
  const dialog = page.getByTestId('export');
  await expect(dialog.getByTestId('export-map-B-json')).toBeVisible();
  expect(await dialog.evaluate((box) => box.scrollWidth - box.clientWidth)).toBe(0);
});

test('a tokenizer is chosen in fields that can be read', async ({ page }) => {
  await open(page);
  await page.getByTestId('model-b-narrow').click();
  await page.getByTestId('tokenizer-choice').selectOption('a file…');
  for (const field of ['tokenizer-model', 'tokenizer-choice', 'tokenizer-file'])
    expect((await page.getByTestId(field).boundingBox())?.width, field).toBeGreaterThan(120);
});
