import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { expectState, open, run } from './page';

async function generate(page: Page): Promise<void> {
  const section = page.locator('main > *').last();
  await section.scrollIntoViewIfNeeded();
  await page.getByTestId('generate').scrollIntoViewIfNeeded();
  await page.getByTestId('generate').click();
}

test('both models continue the prompt, every token opens, and a click analyses it', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  await generate(page);
  for (const slot of ['A', 'B'])
    await expect(page.getByTestId(`continuation-${slot}`)).toHaveAttribute('data-state', 'done');
  const tokens = page.getByTestId('continuation-A').locator('[data-place]');
  await expect(tokens).toHaveCount(20);
  const [first, second] = [await tokens.nth(0).boundingBox(), await tokens.nth(1).boundingBox()];
  expect(second?.y).toBe(first?.y);
  await tokens.nth(3).hover();
  const aside = page.getByTestId('generated-aside');
  await expect(aside).toContainText('Token 3');
  await expect(aside.locator('table').first().locator('tbody tr')).toHaveCount(10);
  await page.mouse.move(0, 0);
  await tokens.nth(3).focus();
  await page.keyboard.press('ArrowRight');
  await expect(aside).toContainText('Token 4');
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  const before = new URL(page.url()).searchParams.get('run');
  const word = (await tokens.nth(4).textContent())?.replace('·', '') ?? '';
  await tokens.nth(4).click();
  await expect(page).not.toHaveURL(new RegExp(`run=${before}`));
  await expectState(page, 'done');
  await expect(page.getByTestId('target-input')).toHaveValue(word);
  const asked = await page.request.get(`/api/runs/${new URL(page.url()).searchParams.get('run')}`);
  const { request, models } = await asked.json();
  const ids = (k: number) => models[k].tokens.slice(-4).map((token: { id: number }) => token.id);
  expect([ids(0), ids(1), models[0].target.id]).toEqual([
    request.continuation.ids,
    request.continuation.ids,
    request.target_id,
  ]);
  // The link has the run with its tokens, and what was generated before it.
  const said = await page.getByTestId('continuation-A').locator('.chips').textContent();
  await expect(page).toHaveURL(/generated=true/);
  await page.reload();
  await expect(page.getByTestId('map-A')).toBeVisible();
  await page.locator('main > *').last().scrollIntoViewIfNeeded();
  await expect(page.getByTestId('continuation-A')).toHaveAttribute('data-state', 'done');
  await expect(page.getByTestId('continuation-A').locator('.chips')).toHaveText(said ?? '');
  await expect(page.getByTestId('status')).toHaveAttribute('data-state', 'done');
  await expect(page.getByRole('region', { name: 'Prompt' }).locator('[data-token]')).toHaveCount(29 + 4);
  expect(complaints).toEqual([]);
});

test('drawing follows its seed, and Stop leaves the queue', async ({ page, request }) => {
  await open(page);
  await run(page);
  await page.locator('main > *').last().scrollIntoViewIfNeeded();
  await page.getByTestId('generate-draw').check();
  await page.getByTestId('generate-temperature').fill('20');
  const texts: string[] = [];
  for (const seed of ['1', '1', '2']) {
    await page.getByTestId('generate-seed').fill(seed);
    await generate(page);
    await expect(page.getByTestId('continuation-B')).toHaveAttribute('data-state', 'done');
    texts.push((await page.getByTestId('continuation-A').locator('.chips').textContent()) ?? '');
  }
  expect(texts[1]).toBe(texts[0]);
  await expect(page).toHaveURL(/temperature=20.*seed=2.*generated=true/);
  expect(texts[2]).not.toBe(texts[0]);
  // Long runs stand before it: however fast the machine is, it is not over when Stop is pressed.
  const prompt = Array.from({ length: 330 }, () => 'Mary entered the kitchen .').join(' ');
  const data = { models: ['demo-mamba2', 'demo-diff-mamba2'], prompt, target: 'kitchen' };
  const before: string[] = [];
  for (let k = 0; k < 5; k++) before.push((await (await request.post('/api/runs', { data })).json()).id);
  await generate(page);
  await expect(page.getByTestId('continuation-A')).toContainText('in queue');
  await page.getByTestId('generate').click();
  await expect(page.getByTestId('continuation-B')).toHaveAttribute('data-state', 'cancelled');
  await expect(page.getByTestId('generate')).toHaveText('Generate');
  for (const id of before) await request.delete(`/api/runs/${id}`);
  await expect.poll(async () => (await (await request.get('/api/health')).json()).queue).toBe(0);
});
