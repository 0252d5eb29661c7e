import { expect, type Page, test } from '@playwright/test';
import { open, run } from './page';

/** What can be pressed, set or followed on the page besides its tokens, by section. */
const controls = (page: Page) =>
  page.evaluate(() => {
    const all = [...document.querySelectorAll<HTMLElement>('button, input, select, textarea, a[href], [tabindex="0"]')];
    const seen = all.filter((one) => one.checkVisibility() && !one.closest('.chips, dialog:not([open])'));
    const stops = seen.filter(
      (one) => one.tabIndex >= 0 && !(one instanceof HTMLInputElement && one.type === 'radio' && !one.checked),
    );
    return { all: seen.length, stops: stops.length };
  });

test('after the first run the page shows what the question needs, and opens the rest on request', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  await expect(page.getByTestId('heads-finding')).toBeVisible();
  const first = await controls(page);
  // 96 and 57 before the rest was folded away.
  expect(first.all).toBeLessThanOrEqual(72);
  expect(first.stops).toBeLessThanOrEqual(48);
  await expect(page.getByTestId('marginals')).toBeHidden();
  await page.getByTestId('attention-more').click();
  await expect(page.getByTestId('attention-more')).toHaveAttribute('aria-expanded', 'true');
  await page.getByTestId('marginals').check();
  await page.getByTestId('attention-more').click();
  // What is set and not seen is counted.
  await expect(page.getByTestId('attention-more')).toHaveText('More 1 set');
  expect(complaints).toEqual([]);
});

test('a target that is all but certain opens on the margin; a link of its run stays as it is', async ({ page }) => {
  await open(page);
  await run(page);
  await expect(page.getByTestId('metric-margin')).toBeChecked();
  await expect(page).toHaveURL(/metric=margin/);
  await page.getByTestId('metric-p').check();
  await expect(page).not.toHaveURL(/metric=/);
  // Chosen once: another run leaves the choice alone.
  await page.getByTestId('run-button').click();
  await expect(page.getByTestId('status')).toHaveAttribute('data-state', 'done', { timeout: 30_000 });
  await expect(page.getByTestId('metric-p')).toBeChecked();
  await page.reload();
  await expect(page.getByTestId('signal-finding')).toContainText('p(target) at the output');
  await expect(page.getByTestId('metric-p')).toBeChecked();
});

test('both curves have their names where one runs along the top of the plot', async ({ page }) => {
  await page.goto('/?a=demo-mamba2&b=demo-diff-mamba2&example=person-early');
  await run(page);
  await expect(page.getByTestId('metric-p')).toBeChecked();
  await expect(page.getByTestId('signal-curve').locator('.line-name')).toHaveText([/demo-mamba2/, /demo-diff-mamba2/]);
});

test('every section says what is to be seen, and its layers open', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  for (const id of ['lens', 'causal', 'allocation']) await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await expect(page.getByTestId('lens-finding')).toContainText(/is the top token from .* on in A/);
  await expect(page.getByTestId('attribution-finding')).toContainText('the logit is raised most by');
  const allocation = page.getByTestId('allocation-finding');
  await expect(allocation).toContainText('The needle’s part of the context is largest in');
  await expect(page.getByTestId('lambda-finding')).toContainText('λ is largest in');
  await expect(page.getByTestId('heads-finding')).toContainText('the largest share of the output has');
  const link = allocation.getByRole('button').first();
  const layer = (await link.textContent())?.replace(/\D/g, '');
  await link.click();
  await expect(page).toHaveURL(new RegExp(`layer=${layer}(&|$)`));
  expect(complaints).toEqual([]);
});

test('other words are traced beside the target, by the link too, and an unknown one is named', async ({ page }) => {
  await open(page);
  await run(page);
  await page.getByTestId('signal-more').click();
  await page.getByTestId('also-candidates').click();
  await expect(page.getByTestId('other-A-0')).toHaveCount(1);
  await expect(page.getByTestId('other-B-1')).toHaveCount(1);
  const word = await page.getByTestId('also-input').inputValue();
  await expect(page.getByTestId('also-key')).toContainText(word.split(',')[0]);
  await expect(page).toHaveURL(/also=/);
  await page.reload();
  await expect(page.getByTestId('other-B-0')).toHaveCount(1);
  await page.getByTestId('signal-more').click();
  await page.getByTestId('also-input').fill('kitchen, zzqx');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('also-key')).toContainText('does not contain “zzqx”');
});
