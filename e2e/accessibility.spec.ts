import AxeBuilder from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { open, run } from './page';

for (const colorScheme of ['light', 'dark'] as const)
  for (const viewport of [
    { width: 1440, height: 900 },
    { width: 390, height: 844 },
  ])
    test.describe(`${colorScheme}, ${viewport.width} wide`, () => {
      test.use({ colorScheme, viewport });

      test('axe finds nothing, before and after a run, and nothing overflows', async ({ page }) => {
        const complaints = await open(page);
        expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
        await run(page);
        expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
        expect(complaints).toEqual([]);
      });
    });
