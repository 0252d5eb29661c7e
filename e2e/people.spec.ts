import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { coloursOf, open, run } from './page';

const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

test.describe('at 200 % zoom', () => {
  // A window of 1440 × 900 pixels at 200 % has half as many CSS pixels, two device pixels each.
  test.use({ viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 });

  test('nothing overflows, nothing is cut off, and the maps work', async ({ page }) => {
    const complaints = await open(page);
    await run(page);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('main button, main select, main input, main h2')]
        .filter((element) => element.offsetParent !== null && !element.closest('.scroll, .chips'))
        .filter((element) => {
          const { left, right } = element.getBoundingClientRect();
          return left < -1 || right > innerWidth + 1;
        })
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    expect(cut).toEqual([]);
    const map = page.getByTestId('map-A');
    await map.scrollIntoViewIfNeeded();
    const box = await map.boundingBox();
    if (!box) throw new Error('the map is not on the page');
    await page.mouse.move(box.x + box.width * 0.1, Math.min(440, box.y + box.height * 0.9));
    await expect(map).not.toHaveAttribute('data-hover-row', '');
    expect(complaints).toEqual([]);
  });
});

test.describe('in forced colours', () => {
  test.use({ contextOptions: { forcedColors: 'active' } });

  test('what is chosen, focused or drawn is still to be seen', async ({ page }) => {
    const complaints = await open(page);
    await run(page);
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    const outlined = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element) => getComputedStyle(element).outlineStyle);
    expect(await outlined('.segmented label:has(:checked)')).toBe('solid');
    expect(await outlined('.chip.position > span')).toBe('solid');
    await page.getByTestId('layer-strip').focus();
    await page.keyboard.press('ArrowRight');
    expect(await outlined('[data-testid="layer-strip"]')).toBe('solid');
    expect(await coloursOf(page.getByTestId('lanes'))).toBeGreaterThan(2);
    expect(complaints).toEqual([]);
  });
});

test.describe('with reduced motion', () => {
  test.use({ contextOptions: { reducedMotion: 'reduce' } });

  test('nothing moves by itself', async ({ page }) => {
    await open(page);
    await page.getByTestId('run-button').click();
    await expect(page.getByTestId('map-A')).toBeVisible();
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll('*')]
        .filter((element) => {
          const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
          return /[1-9]/.test(transitionDuration) || animationName !== 'none' || scrollBehavior === 'smooth';
        })
        .map((element) => element.outerHTML.slice(0, 80)),
    );
    expect(moving).toEqual([]);
  });
});

test('two tabs run two prompts at once, each shows its own', async ({ page, context }) => {
  const second = await context.newPage();
  await Promise.all([open(page), open(second)]);
  const prompts = [
    'Mary entered the kitchen . Where is Mary ? Answer :',
    'John sat in the garden . Where is John ? Answer :',
  ];
  const tabs = [page, second];
  for (const [k, tab] of tabs.entries()) {
    await tab.getByTestId('prompt-edit').click();
    await tab.getByTestId('prompt-text').fill(prompts[k]);
    await tab.getByTestId('prompt-apply').click();
  }
  await Promise.all(tabs.map(run));
  const ids = tabs.map((tab) => new URL(tab.url()).searchParams.get('run'));
  expect(ids[0]).not.toBe(ids[1]);
  await expect(page.getByTestId('chip-0')).toHaveText('Mary');
  await expect(second.getByTestId('chip-0')).toHaveText('John');
});
