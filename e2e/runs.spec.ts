import { readFile } from 'node:fs/promises';
import { expect, type Page, test } from '@playwright/test';
import { unzipSync } from 'fflate';
import { expectState, open, run } from './page';

async function download(page: Page, testId: string): Promise<Buffer> {
  const waiting = page.waitForEvent('download');
  await page.getByTestId(testId).click();
  return readFile(await (await waiting).path());
}

test('a run is listed, named, opened as it was left, and deleted', async ({ page }) => {
  await open(page);
  await run(page);
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expect(page).toHaveURL(/layer=1/);
  const id = new URL(page.url()).searchParams.get('run');
  await page.getByTestId('runs-link').click();
  const row = page.getByTestId('run-row').filter({ hasText: `run ${id}` });
  await row.getByRole('textbox').fill('the first one');
  await row.getByRole('textbox').press('Enter');
  await page.reload();
  await expect(row.getByRole('textbox')).toHaveValue('the first one');
  await row.getByRole('link').click();
  await expect(page.getByTestId('layer-strip')).toHaveAttribute('aria-valuenow', '1');
  await expect(page.getByTestId('map-A')).toBeVisible();
  await page.goto('/runs');
  await row.getByRole('button').click();
  await row.getByRole('button').click();
  await expect(row).toBeHidden();
});

test('a reload in mid-run goes on with the run, and a second tab sees it too', async ({ page, context }) => {
  await open(page);
  const words = Array.from({ length: 80 }, () => 'Mary entered the kitchen .').join(' ');
  await page.getByTestId('prompt-edit').click();
  await page.getByTestId('prompt-text').fill(`${words} Where is Mary ? Answer :`);
  await page.getByTestId('prompt-apply').click();
  await page.getByTestId('run-button').click();
  await expect(page).toHaveURL(/run=/);
  const second = await context.newPage();
  await Promise.all([page.reload(), second.goto(page.url())]);
  await expectState(page, 'done');
  await expectState(second, 'done');
  await expect(second.getByTestId('map-B')).toBeVisible();
});

test('figures and numbers are exported', async ({ page }) => {
  await open(page);
  await run(page);
  const id = new URL(page.url()).searchParams.get('run') as string;
  await page.keyboard.press('e');
  const svg = (await download(page, 'export-attention-svg')).toString('utf8');
  const parsed = await page.evaluate((text) => {
    const drawing = new DOMParser().parseFromString(text, 'image/svg+xml');
    return {
      error: drawing.querySelector('parsererror')?.textContent,
      images: drawing.querySelectorAll('image').length,
      text: drawing.documentElement.textContent ?? '',
      outside: /url\((?!data:|#|&quot;#|"#)/.test(text),
    };
  }, svg);
  expect(parsed.error).toBeUndefined();
  expect(parsed.images).toBeGreaterThanOrEqual(2);
  expect(parsed.text).toContain(`run ${id}`);
  expect(parsed.outside).toBe(false);
  const png = await download(page, 'export-signal-png');
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect(png.readUInt32BE(16)).toBeGreaterThan(2000);
  const npz = unzipSync(await download(page, 'export-map-B-npz'));
  expect(Object.keys(npz).sort()).toEqual(['map.npy', 'token_ids.npy']);
  expect((await download(page, 'export-signal-A-csv')).toString()).toContain(`# run: ${id}`);
  await expect(page.getByTestId('export-python')).toContainText(`/api/runs/${id}/export`);
});
