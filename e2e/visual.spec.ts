import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { open, run } from './page';

/**
 * The page as it is drawn, section by section, after a fixed run. `npm run baselines` draws all pictures anew.
 * Another browser draws letters a little differently: pictures are compared only where the browser's major version and
 * the shapes of its letters are those that the baselines were made with.
 */
const BASELINES = join(import.meta.dirname, 'baselines');
const MADE_WITH = join(BASELINES, 'made-with.json');

interface Renderer {
  readonly chromium: string;
  /** Digest of a line of the page's fonts as this browser draws it. */
  readonly letters: string;
}

const lettersOf = (page: Page) =>
  page.evaluate(async () => {
    await document.fonts.load("500 12px 'IBM Plex Mono'");
    await document.fonts.load("13px 'Inter Variable'");
    const context = Object.assign(document.createElement('canvas'), { width: 400, height: 40 }).getContext('2d');
    if (!context) return '';
    context.font = "13px 'Inter Variable'";
    context.fillText('Implicit attention, layer 12 · 0.331', 2, 14);
    context.font = "500 12px 'IBM Plex Mono'";
    context.fillText('·kitchen → 51 ·: +3.20e−7', 2, 32);
    const bytes = await crypto.subtle.digest('SHA-256', context.getImageData(0, 0, 400, 40).data);
    return [...new Uint8Array(bytes.slice(0, 8))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  });

const readMadeWith = async (): Promise<Renderer | null> =>
  readFile(MADE_WITH, 'utf8').then(
    (text) => JSON.parse(text) as Renderer,
    () => null,
  );

const SECTIONS = ['prompt', 'signal', 'attention', 'lens'] as const;

for (const colorScheme of ['light', 'dark'] as const)
  for (const viewport of [
    { width: 1440, height: 900 },
    { width: 390, height: 844 },
  ])
    test.describe(`${colorScheme}, ${viewport.width} wide`, () => {
      test.use({ colorScheme, viewport });

      test('every section looks as it did', async ({ page, browser }, info) => {
        await open(page);
        const renderer = { chromium: browser.version().split('.')[0], letters: await lettersOf(page) };
        const renewing = ['all', 'changed'].includes(info.config.updateSnapshots);
        const madeWith = renewing ? renderer : await readMadeWith();
        test.skip(
          JSON.stringify(madeWith) !== JSON.stringify(renderer),
          madeWith === null
            ? 'There are no pictures to compare with: npm run baselines draws them.'
            : `Pictures were made by Chromium ${madeWith.chromium} (letters ${madeWith.letters}), this is ${renderer.chromium} (${renderer.letters}).`,
        );
        if (renewing) await writeFile(MADE_WITH, `${JSON.stringify(renderer, null, 2)}\n`);
        const options = {
          stylePath: join(BASELINES, 'hidden.css'),
          maxDiffPixelRatio: 0.005,
          animations: 'disabled' as const,
        };
        const named = (part: string) => `${part}-${colorScheme}-${viewport.width}.png`;
        await expect(page.locator('#prompt')).toContainText('Line below');
        await expect(page).toHaveScreenshot(named('first'), options);
        await run(page);
        await expect(page.getByTestId('heads-finding')).toBeVisible();
        await page.waitForLoadState('networkidle');
        await page.mouse.move(0, 0);
        for (const section of SECTIONS)
          await expect(page.locator(`#${section}`)).toHaveScreenshot(named(section), options);
      });
    });
