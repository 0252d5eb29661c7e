import { expect, test } from '@playwright/test';
import { expectState, open, run } from './page';

test('one press of Run fills the page with both models', async ({ page }) => {
  const complaints = await open(page);
  await run(page);
  await expect(page.getByTestId('layer-strip')).toBeVisible();
  await expect(page.getByTestId('lens-A')).toBeVisible();
  await expect(page.getByTestId('lens-B')).toBeVisible();
  expect(complaints).toEqual([]);
});

test('words that the vocabulary lacks are named', async ({ page }) => {
  await open(page);
  await page.getByTestId('prompt-edit').click();
  const text = page.locator('#prompt textarea').first();
  await text.fill('Mary entered the kitchen. Where is the zebra? Answer:');
  await page.getByRole('button', { name: 'Use this text' }).click();
  await expect(page.getByTestId('unknown-words')).toContainText('read as [UNK]: zebra.');
  await page.getByTestId('prompt-edit').click();
  await text.fill('Mary entered the kitchen. Where is Mary? Answer:');
  await page.getByRole('button', { name: 'Use this text' }).click();
  await expect(page.getByTestId('unknown-words')).toHaveCount(0);
});

test('a cell under the pointer is the same pair in both maps', async ({ page }) => {
  await open(page);
  await run(page);
  const [a, b] = [page.getByTestId('map-A'), page.getByTestId('map-B')];
  await a.scrollIntoViewIfNeeded();
  const box = await a.boundingBox();
  if (!box) throw new Error('the map is not on the page');
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.8);
  await expect(a).not.toHaveAttribute('data-hover-row', '');
  const [row, column] = [await a.getAttribute('data-hover-row'), await a.getAttribute('data-hover-col')];
  expect(Number(row)).toBeGreaterThan(Number(column));
  await expect(b).toHaveAttribute('data-hover-row', String(row));
  await expect(b).toHaveAttribute('data-hover-col', String(column));
});

test('the keyboard alone runs and chooses a layer and a metric', async ({ page }) => {
  await open(page);
  await page.keyboard.press('ControlOrMeta+Enter');
  await expectState(page, 'done');
  const strip = page.getByTestId('layer-strip');
  await page.keyboard.press('Home');
  await expect(strip).toHaveAttribute('aria-valuenow', '0');
  await page.keyboard.press('ArrowRight');
  await expect(strip).toHaveAttribute('aria-valuenow', '1');
  await page.keyboard.press('2');
  await expect(page.getByRole('radio', { name: 'margin' })).toBeChecked();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
});

test('a branch of the differential model is another map', async ({ page }) => {
  await open(page);
  await run(page);
  const difference = await page.getByTestId('maps').screenshot();
  await page.keyboard.press('[');
  await expect(page.getByTestId('branch-diff')).not.toBeChecked();
  await expect(page.getByTestId('branch-lambda_mixer_2')).toBeChecked();
  await expect.poll(async () => difference.equals(await page.getByTestId('maps').screenshot())).toBe(false);
});

test('a run is cancelled and the page stays usable', async ({ page, request }) => {
  await open(page);
  const words = Array.from({ length: 330 }, () => 'Mary entered the kitchen .').join(' ');
  // Long runs stand before it: however fast the machine is, this one is not over when Cancel is pressed.
  const data = { models: ['demo-mamba2', 'demo-diff-mamba2'], prompt: words, target: 'kitchen' };
  const before: string[] = [];
  for (let k = 0; k < 4; k++) {
    const reply = await request.post('/api/runs', { data });
    expect(reply.status()).toBe(202);
    before.push((await reply.json()).id);
  }
  await page.getByTestId('prompt-edit').click();
  await page.getByTestId('prompt-text').fill(`${words} Where is Mary ? Answer :`);
  await page.getByTestId('prompt-apply').click();
  await page.getByTestId('run-button').click();
  await expect(page.getByTestId('run-button')).toContainText('Cancel');
  await page.getByTestId('run-button').click();
  await expectState(page, 'cancelled');
  await expect(page.getByTestId('run-button')).toContainText('Run');
  for (const id of before) await request.delete(`/api/runs/${id}`);
});

test('a link opens the run with its selection', async ({ page }) => {
  await open(page);
  await run(page);
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expect(page).toHaveURL(/layer=1/);
  const link = page.url();
  await page.goto('about:blank');
  await page.goto(link);
  await expect(page.getByTestId('map-A')).toBeVisible();
  await expect(page.getByTestId('layer-strip')).toHaveAttribute('aria-valuenow', '1');
});

test('an address without a page says so in the page’s own colours, and leads back', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  const answer = await page.goto('/no/such/page');
  expect(answer?.status()).toBe(404);
  await expect(page.getByRole('heading', { name: 'There is no page at this address' })).toBeVisible();
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(Math.max(...(ground.match(/\d+/g) ?? []).slice(0, 3).map(Number))).toBeLessThan(60);
  await page.getByRole('link', { name: '/', exact: true }).click();
  await expect(page.getByTestId('run-button')).toBeVisible();
});

test('the first result moves nothing in the prompt', async ({ page }) => {
  await open(page);
  const place = async () => (await page.getByTestId('chip-0').boundingBox())?.y;
  const before = await place();
  await run(page);
  expect(await place()).toBe(before);
});

test('another text has no target until one is chosen', async ({ page }) => {
  await open(page);
  await page.getByTestId('prompt-edit').click();
  await page.getByTestId('prompt-text').fill('The quick brown fox jumps over the lazy dog.');
  await page.getByTestId('prompt-apply').click();
  await expect(page.getByTestId('status')).toContainText('choose a target token');
  await expect(page.getByTestId('candidates-edit')).toHaveText('whole vocabulary');
});

test('a link to a run that is gone says so, and what it asks is run again', async ({ page }) => {
  await page.goto('/?a=demo-mamba2&b=demo-diff-mamba2&example=person-early&run=00000000');
  await expect(page.getByTestId('error-banner')).toContainText('00000000');
  await page.getByRole('button', { name: 'Run this prompt' }).click();
  await expectState(page, 'done');
  await expect(page.getByTestId('error-banner')).toHaveCount(0);
});

test('nothing of the header is cut', async ({ page }) => {
  await open(page);
  for (const width of [1440, 1024, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const lines = page.locator('.picker small span:visible');
    await expect(lines).toHaveCount(2);
    const cut = await lines.evaluateAll((spans) =>
      spans.filter((span) => {
        const line = span.parentElement as HTMLElement;
        return span.getBoundingClientRect().right > line.getBoundingClientRect().right + 0.5;
      }),
    );
    expect(cut, `at ${width}`).toEqual([]);
  }
});
