import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';

test('a folder outside of what the server reads is refused at once, in a sentence', async ({ page }) => {
  await page.goto('/training?folder=/etc');
  await expect(page.getByRole('alert').filter({ hasText: 'lies outside the folders' })).toBeVisible({ timeout: 5000 });
});

test('a folder without runs says so, and axe finds nothing', async ({ page }) => {
  const folder = join('models', 'e2e-no-runs');
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(join(folder, 'note.txt'), 'nothing here');
    await page.goto(`/training?folder=${folder}`);
    await expect(page.locator('main')).toContainText(/no run/i);
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
