import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Locator, type Page, test } from '@playwright/test';
import { writeModel } from '../lib/server/testing/workspace';
import { open, pickModel, run } from './page';

/** The same, set to exact patches of every token. */
async function openCausal(page: Page): Promise<string[]> {
  const complaints = await openEstimates(page);
  await page.getByTestId('causal-how-exact').check();
  await page.getByTestId('causal-rows').selectOption('tokens');
  return complaints;
}

/** Runs the first example and brings the causal tests onto the screen. */
async function openEstimates(page: Page): Promise<string[]> {
  const complaints = await open(page);
  await run(page);
  await page.locator('#lens').scrollIntoViewIfNeeded();
  await page.locator('#causal').scrollIntoViewIfNeeded();
  return complaints;
}

const shown = (page: Page) =>
  expect(page.getByTestId('causal-status')).toHaveAttribute('data-state', 'shown', { timeout: 40_000 });

const aside = (page: Page) => page.locator('#causal aside');

/** A point inside a cell: layer of four, token of 29, on columns emb, 0 … 3, out. */
async function cellAt(page: Page, layer: number, token: number): Promise<[number, number]> {
  // What stands above may have grown meanwhile.
  await page.getByTestId('causal-cells').scrollIntoViewIfNeeded();
  const box = await page.getByTestId('causal-cells').boundingBox();
  if (!box) throw new Error('the grid is not on the page');
  return [box.x + ((layer + 1.25) / 6) * box.width, box.y + ((token + 0.5) / 29) * box.height];
}

test('every patch is estimated first; the strongest are patched, and what is clicked or drawn over the rows', async ({
  page,
}) => {
  const complaints = await openEstimates(page);
  await expect(page.getByTestId('causal-waiting')).toContainText('from about 4 forward passes of each model');
  await expect(page.getByTestId('causal-waiting').locator('svg')).not.toContainText(/emb|out/);
  await page.getByTestId('causal-run').click();
  await shown(page);
  await expect(page.getByTestId('checked-cell')).toHaveCount(24);
  await expect(page.getByTestId('agreement-words')).toContainText(/A \d\.\d\d over 12 cells, B \d\.\d\d over 12 cells/);
  await expect(page.getByTestId('agreement').locator('circle')).toHaveCount(24);
  const row = (name: RegExp) => aside(page).getByRole('row', { name });
  await page.mouse.move(...(await cellAt(page, 1, 28)));
  await expect(row(/^estimated effect/)).toContainText(/\+0\.\d+.*\+0\.\d+/);
  await expect(row(/^effect when patched/)).toContainText(/\+0\.99.*\+1\.00/);
  await page.mouse.move(...(await cellAt(page, 0, 8)));
  await page.mouse.down();
  await page.mouse.up();
  const exact = page.getByTestId('exact-cell');
  await expect(exact).toContainText('Patched: layer 0, token 8');
  await expect(exact.getByRole('row', { name: /^effect/ })).toContainText(/\+1\.00.*\+1\.00/);
  await page.mouse.move(...(await cellAt(page, 0, 10)));
  await page.mouse.down();
  await page.mouse.move(...(await cellAt(page, 0, 13)), { steps: 4 });
  await page.mouse.up();
  await expect(exact).toContainText('Patched: layer 0, tokens 10–13 together');
  await expect(exact.getByRole('row', { name: /^effect/ })).toContainText(/[+−]?0(\.0\d*)?/);
  expect((await new AxeBuilder({ page }).include('#causal').analyze()).violations).toEqual([]);
  // The scatter stands in the aside, which figures for print leave out.
  await page.getByTestId('export-button').click();
  const panels = page.locator('[data-testid^="panel-causal/"]');
  await expect(panels).toHaveCount(1);
  await expect(panels).toHaveAttribute('data-testid', 'panel-causal/causal-grid');
  expect(complaints).toEqual([]);
});

test('knock-outs and ablations are estimated first; the strongest are made, and what is clicked or drawn', async ({
  page,
}) => {
  const complaints = await openEstimates(page);
  const row = (name: RegExp) => aside(page).getByRole('row', { name });
  const exact = page.getByTestId('exact-cell');
  for (const [test, done] of [
    ['knockout', 'knocked out'],
    ['ablate', 'ablated'],
  ]) {
    await page.getByTestId(`causal-${test}`).check();
    await expect(page.getByTestId('causal-waiting')).toContainText('from about 4 forward passes of each model');
    await expect(page.getByTestId('causal-waiting')).toContainText(`the strongest cells are ${done}`);
    await page.getByTestId('causal-run').click();
    await shown(page);
    await expect(page.getByTestId('checked-cell')).toHaveCount(24);
    await expect(page.getByTestId('agreement').locator('circle')).toHaveCount(24);
    await expect(page.getByTestId('agreement-words')).toContainText(/A −?\d\.\d\d over 12 cells, B −?\d\.\d\d over 12/);
    const [layer, token] = test === 'knockout' ? [0, 8] : [0, 28];
    await page.mouse.move(...(await cellAt(page, layer, token)));
    await expect(row(/^estimated change, logits/)).toContainText(/[+−]\d+\.\d+.*[+−]\d/);
    await expect(row(new RegExp(`^change when ${done}`))).toContainText(/\d/);
    await page.mouse.down();
    await page.mouse.up();
    await expect(exact).toContainText(`${done.slice(1)}: layer ${layer}, token ${token}`);
    await expect(exact.getByRole('row', { name: /^change, logits/ })).toContainText(/−1\d\.\d.*\d/);
    await expect(exact.getByRole('row', { name: /^with norms frozen/ })).toContainText(/\d/);
    await page.keyboard.press('Escape');
    await expect(exact).toHaveCount(0);
  }
  await page.mouse.move(...(await cellAt(page, 1, 10)));
  await page.mouse.down();
  await page.mouse.move(...(await cellAt(page, 1, 13)), { steps: 4 });
  await page.mouse.up();
  await expect(exact).toContainText('Ablated: layer 0, tokens 10–13 together');
  await expect(exact.getByRole('row', { name: /^change, logits/ })).toContainText(/\d/);
  expect((await new AxeBuilder({ page }).include('#causal').analyze()).violations).toEqual([]);
  expect(complaints).toEqual([]);
});

test('a grid of a long prompt begins where something is to be seen', async ({ page }) => {
  const prompt = `${'A bird sang outside . '.repeat(40)}Sandra entered the hallway . Where is Sandra ? Answer :`;
  await page.goto(`/?a=demo-mamba2&b=demo-diff-mamba2&prompt=${encodeURIComponent(prompt)}&target=hallway`);
  await run(page);
  await page.locator('#lens').scrollIntoViewIfNeeded();
  await page.locator('#causal').scrollIntoViewIfNeeded();
  await page.getByTestId('foil').fill('kitchen');
  await page.getByTestId('causal-knockout').check();
  await page.getByTestId('causal-run').click();
  await page.mouse.move(5, 5);
  await shown(page);
  const seen = () =>
    page.locator('.causal-scroll').evaluate(({ scrollTop, clientHeight, scrollHeight }) => {
      const hallway = scrollHeight - 12 * 8;
      return scrollTop < hallway && hallway < scrollTop + clientHeight;
    });
  await expect.poll(seen).toBe(true);
});

test('exact patches begin with a row a sentence', async ({ page }) => {
  await openEstimates(page);
  await page.getByTestId('causal-how-exact').check();
  await expect(page.getByTestId('causal-waiting')).toContainText(/One row for each sentence.*: 56 cells/);
  await page.getByTestId('causal-run').click();
  await shown(page);
  for (const token of [5, 8]) {
    await page.mouse.move(...(await cellAt(page, 0, token)));
    await expect(aside(page).getByRole('row', { name: /^effect/ })).toContainText(/\+1\.00.*\+1\.00/);
    await expect(aside(page).getByRole('heading').first()).toHaveText('Layer 0, tokens 5–9 together under the pointer');
  }
  // The sentence is one of the largest effects, not each of its tokens.
  await expect(aside(page).getByRole('button', { name: /^Layer 0, tokens? [5-9]/ })).toHaveCount(2);
  await expect(page.locator('#causal .convention')).toContainText('A sentence is carried over as a whole');
});

test('a patch brings the answer back at the room before block 0, linked with the rest of the page', async ({
  page,
}) => {
  const complaints = await openCausal(page);
  await expect(page.getByTestId('corrupted')).toContainText('Sandra entered the kitchen.');
  await expect(page.getByTestId('causal-waiting')).toContainText('232 cells, about the work of 116 forward passes');
  await expect(page.getByTestId('causal-waiting')).toContainText(
    /, at most ~\d+ (ms|s|min) at the pace of this run\. Layers/,
  );
  await expect(page.getByTestId('causal-grid')).toHaveCount(0);
  await page.getByTestId('causal-run').click();
  await shown(page);
  await page.mouse.move(...(await cellAt(page, 0, 8)));
  await expect(aside(page)).toContainText('Layer 0, token 8 hallway');
  await expect(aside(page).getByRole('row', { name: /^effect/ })).toContainText(/\+1\.00.*\+1\.00/);
  await expect(page.locator('#lens svg.overlay').first()).toBeAttached();
  await page.mouse.down();
  await page.mouse.up();
  await page.mouse.move(5, 5);
  await expect(aside(page)).toContainText('pinned');
  await expect(page).toHaveURL(/layer=0/);
  await page.keyboard.press('Escape');
  await expect(aside(page)).not.toContainText('pinned');
  await expect(page.getByRole('link', { name: 'demo-mamba2 as safetensors' })).toHaveAttribute('href', /tensors$/);
  await page.getByTestId('causal-table').click();
  const table = page.locator('#causal').getByTestId('data-table');
  await expect(table.locator('tbody tr')).toHaveCount(4 * 29);
  await expect(table).not.toContainText('NaN');
  await expect(table.getByRole('row').nth(12)).toContainText(/^layer 011bird/);
  expect(complaints).toEqual([]);
});

test('prompts of different lengths are refused in a sentence; the state is patched by keys alone', async ({ page }) => {
  await openCausal(page);
  await page.getByTestId('corrupted-edit').click();
  await page.getByTestId('corrupted-text').fill('Sandra entered the office. Where is Sandra? Answer:');
  await page.getByTestId('corrupted-apply').click();
  await expect(page.getByTestId('causal-status')).toContainText(/reads 29 tokens in the clean prompt and \d+ in/);
  await expect(page.getByTestId('causal-run')).toBeDisabled();
  await page.getByRole('button', { name: 'Make it from the prompt' }).click();
  await page.getByTestId('patch-point').selectOption('hook_h');
  await page.getByTestId('causal-run').press('Enter');
  await shown(page);
  // A pointer that rests where the page has moved beneath it would take the cursor of the keys away.
  await page.mouse.move(5, 5);
  await page.getByTestId('causal-grid').focus();
  // Focus scrolls the grid under the resting pointer, and what it leaves there takes the cursor away, once.
  await expect(async () => {
    for (const key of ['Home', 'ArrowLeft', 'ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key);
    await expect(aside(page)).toContainText('Layer 0, token 0 Mary under the pointer', { timeout: 1000 });
  }).toPass({ timeout: 20_000 });
  await page.keyboard.press('Enter');
  await page.getByTestId('causal-grid').blur();
  await expect(aside(page)).toContainText('Layer 0, token 0 Mary pinned');
  await expect(page.locator('#causal [aria-live]')).toContainText(/layer 0, 0 Mary, A /);
});

test('a token is knocked out in every layer, and a brushed span in all layers together', async ({ page }) => {
  await openCausal(page);
  await page.getByTestId('causal-knockout').check();
  await page.getByTestId('causal-run').click();
  await shown(page);
  await page.mouse.move(...(await cellAt(page, 0, 8)));
  await expect(aside(page).getByRole('row', { name: /^change, logits/ })).toContainText(/−1\d\.\d/);
  await page.mouse.move(...(await cellAt(page, 1, 5)));
  await page.mouse.down();
  await page.mouse.move(...(await cellAt(page, 1, 8)), { steps: 4 });
  await page.mouse.up();
  await expect(page.getByTestId('span')).toContainText('Tokens 5–8');
  await expect(page.getByTestId('span').getByRole('row', { name: /all layers together/ })).toContainText(/−1\d\.\d/);
});

test('a span is knocked out before the grid is computed, by pointer and by keys', async ({ page }) => {
  const complaints = await openCausal(page);
  await page.getByTestId('causal-knockout').check();
  await expect(page.getByTestId('causal-waiting')).toBeVisible();
  await expect(page.getByTestId('causal-grid')).toHaveCount(0);
  await page.getByTestId('source-5').hover();
  await page.mouse.down();
  await page.getByTestId('source-8').hover();
  await page.mouse.up();
  await expect(page.getByTestId('span')).toContainText('Tokens 5–8');
  await expect(page.getByTestId('span').getByRole('row', { name: /all layers together/ })).toContainText(/−1\d\.\d/);
  await expect(page.locator('#causal .figure canvas')).toHaveCount(1);
  await expect(page.getByTestId('causal-grid')).toHaveCount(0);
  await page.getByTestId('source-8').press('Shift+ArrowRight');
  await expect(page.getByTestId('span')).toContainText('Tokens 5–9');
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('sources').locator('[aria-selected=true]')).toHaveCount(0);
  expect((await new AxeBuilder({ page }).include('#causal').analyze()).violations).toEqual([]);
  await page.getByTestId('source-8').click();
  await page.getByTestId('causal-run').click();
  await shown(page);
  await expect(page.getByTestId('sources')).toHaveCount(0);
  await expect(page.getByTestId('span')).toContainText('Tokens 8–8');
  expect(complaints).toEqual([]);
});

test('a patch goes both ways, by any measure of one pass, and says where effects mean little', async ({ page }) => {
  const complaints = await openCausal(page);
  await page.getByTestId('patch-direction').selectOption('noise');
  await page.getByTestId('causal-run').click();
  await shown(page);
  await expect(page.getByTestId('patch-caution')).toHaveCount(0);
  await page.mouse.move(...(await cellAt(page, 0, 8)));
  const row = (name: RegExp) => aside(page).getByRole('row', { name });
  await expect(row(/^effect/)).toContainText(/\+1\.00.*\+1\.00/);
  await expect(row(/^patched/)).toContainText('−');
  const asked = page.waitForRequest('**/api/analyses', { timeout: 1500 }).catch(() => undefined);
  await page.getByTestId('patch-measure').selectOption('kl');
  await page.mouse.move(...(await cellAt(page, 0, 8)));
  await expect(row(/^clean/)).toContainText(/clean00$/);
  await expect(row(/^effect/)).toContainText(/\+1\.00.*\+1\.00/);
  expect(await asked).toBeUndefined();
  await expect(page).toHaveURL(/way=noise.*by=kl/);
  await page.getByTestId('corrupted-edit').click();
  const text = page.getByTestId('corrupted-text');
  await text.fill((await text.inputValue()).replace('Mary left', 'John left'));
  await page.getByTestId('corrupted-apply').click();
  await page.getByTestId('causal-run').click();
  await expect(page.getByTestId('patch-caution')).toContainText('beside the swapped token 8 in token 15');
  expect(complaints).toEqual([]);
});

test('a knock-out hatches what is not tested, and has both ways of the norms', async ({ page }) => {
  const complaints = await openCausal(page);
  await page.getByTestId('causal-knockout').check();
  await page.getByTestId('causal-run').click();
  await shown(page);
  await expect(page.getByTestId('untested-key')).toContainText('not tested: no later token reads it');
  await page.mouse.move(...(await cellAt(page, 1, 28)));
  const row = (name: RegExp) => aside(page).getByRole('row', { name });
  await expect(row(/^change, logits/)).toContainText('not testednot tested');
  await page.mouse.move(...(await cellAt(page, 0, 8)));
  const [plain, frozen] = [await row(/^change, logits/).textContent(), await row(/^with norms frozen/).textContent()];
  expect(plain?.replace('change, logits', '')).not.toBe(frozen?.replace('with norms frozen', ''));
  await page.getByTestId('causal-norms').selectOption('frozen');
  await expect(page.locator('#causal')).toContainText('change, norms frozen');
  await expect(page).toHaveURL(/norms=frozen/);
  expect(complaints).toEqual([]);
});

test('what is off becomes its mean over other prompts, or over this one, and the page says which', async ({ page }) => {
  await openCausal(page);
  await page.getByTestId('causal-intervene').check();
  await page.getByLabel('What stands in for what is switched off').selectOption('mean');
  await page.getByTestId('switch-A-0').uncheck();
  await shown(page);
  const convention = page.locator('#causal .convention');
  await expect(convention).toContainText(/counted from the end, over \d+ other prompts/);
  await expect(page.getByTestId('answer-A').getByRole('row', { name: /^logit difference/ })).not.toContainText('–');
  await page.getByLabel('What stands in for what is switched off').selectOption('self');
  await expect(convention).toContainText('over all tokens of this prompt itself');
});

test('parts are switched off and λ is moved: both models run again at once', async ({ page }) => {
  await openCausal(page);
  await page.getByTestId('causal-intervene').check();
  // The run already says what the unchanged models do.
  await expect(page.getByTestId('change-curve').locator('path.base')).not.toHaveCount(0);
  await expect(page.getByTestId('answer-A').getByRole('row', { name: /^p\(target\)/ })).toContainText(
    /1 − [\d.]+e−\d––$/,
  );
  await expect(page.getByTestId('causal-table')).toHaveCount(0);
  await page.getByTestId('switch-A-0').uncheck();
  await page.getByTestId('lambda-all').fill('0');
  await shown(page);
  await page.keyboard.press('2');
  await expect(page.getByTestId('change-curve')).toHaveAttribute('aria-label', /^Margin by layer/);
  const row = (slot: string, name: RegExp) => page.getByTestId(`answer-${slot}`).getByRole('row', { name });
  await expect(row('A', /^p\(target\)/)).toContainText(/1 − [\d.]+e−\d\d/);
  await expect(row('A', /^margin/)).toContainText(/\+12.*−/);
  await expect(row('B', /^answer/)).toContainText('hallway');
  await expect(page.getByTestId('lambda-B-2')).toHaveValue('0');
  const before = await row('B', /^margin/).textContent();
  await page.getByTestId('switch-B-0.mixer_1').uncheck();
  await expect(row('B', /^margin/)).not.toHaveText(before ?? '');
  await page.getByTestId('causal-restore').click();
  await expect(page.getByTestId('switch-A-0')).toBeChecked();
  await expect(row('A', /^p\(target\)/)).toContainText(/1 − [\d.]+e−\d––$/);
});

test('a model that subtracts the halves of one mixer has λ, its branches, sliders and cancellation', async ({
  page,
}) => {
  const folder = await mkdtemp(join('models', 'e2e-'));
  try {
    await writeModel(folder, 'halves', { layers: Array(3).fill('diff_mamba2e'), expand: 2 });
    const complaints = await open(page);
    await pickModel(page, 'b', `${basename(folder)}/halves`);
    await run(page);
    const strip = page.getByTestId('layer-strip');
    await expect(strip).toContainText('λ of B, 0–');
    await expect(strip.locator('rect.B-fill[opacity=".75"]')).toHaveCount(3);
    await expect(page.locator('#attention')).toContainText(/Diff-Mamba-2E block, one mixer, λ = 0\.\d{3}/);
    await expect(page.locator('#attention')).toContainText('the halves of its output are subtracted');

    await page.locator('#lens').scrollIntoViewIfNeeded();
    await page.locator('#causal').scrollIntoViewIfNeeded();
    await page.getByTestId('causal-intervene').check();
    // What the changed model says, once it has run.
    const answer = async () => {
      const cells = page.getByTestId('answer-B').locator('tbody td:nth-of-type(2)');
      const texts = (await cells.allTextContents()).join(' ');
      return /\d/.test(texts) ? texts : '';
    };
    for (const change of [
      () => page.getByTestId('lambda-B-1').fill('0'),
      () => page.getByTestId('switch-B-1.mixer_1').uncheck(),
      () => page.getByTestId('switch-B-2.mixer_2').uncheck(),
    ]) {
      const before = await answer();
      await change();
      await expect.poll(async () => ![before, ''].includes(await answer())).toBe(true);
    }
    await expect(page.getByTestId('lambda-B-1')).toHaveValue('0');
    await expect(page.getByTestId('switch-A-1.mixer_1')).toHaveCount(0);
    await expect(page.locator('#attribution')).toContainText('branch 1');

    await page.locator('#allocation').scrollIntoViewIfNeeded();
    await expect(
      page
        .getByTestId('allocated-B')
        .getByRole('row', { name: /^filler/ })
        .last(),
    ).toHaveText(/([+−]\S+){3}$/);
    await expect(page.getByTestId('allocated-A')).not.toContainText('subtraction');
    expect(complaints).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** How often the page asks the server to compute a test. */
function countStarts(page: Page): () => number {
  let starts = 0;
  page.on('request', (request) => {
    if (request.method() === 'POST' && /\/api\/(analyses|snr)/.test(request.url())) starts++;
  });
  return () => starts;
}

test('a link opens a patch again, its grid computed once; deleting the run takes it along', async ({ page }) => {
  const complaints = await openCausal(page);
  await page.getByTestId('foil').fill('garden');
  await page.getByTestId('foil').press('Enter');
  await page.getByTestId('patch-point').selectOption('hook_out_proj');
  await page.getByTestId('causal-run').click();
  await shown(page);
  await expect(page).toHaveURL(/point=hook_out_proj/);
  await expect(page).toHaveURL(/foil=garden/);
  const grid = page.locator('#causal .figure canvas').first();
  const drawn = () => grid.evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  const before = await drawn();
  const href = await page.getByRole('link', { name: 'demo-mamba2 as safetensors' }).getAttribute('href');

  const starts = countStarts(page);
  await page.reload();
  await page.locator('#lens').scrollIntoViewIfNeeded();
  await page.locator('#causal').scrollIntoViewIfNeeded();
  await shown(page);
  await expect(page.getByTestId('patch-point')).toHaveValue('hook_out_proj');
  await expect(page.getByTestId('foil')).toHaveValue('garden');
  await expect.poll(drawn).toBe(before);
  expect(starts()).toBe(0);

  const run = new URL(page.url()).searchParams.get('run');
  expect((await page.request.get(href ?? '')).status()).toBe(200);
  expect((await page.request.delete(`/api/runs/${run}?forget=true`)).status()).toBe(200);
  expect((await page.request.get(href ?? '')).status()).toBe(404);
  expect(complaints).toEqual([]);
});

test('a link opens λ and switches again', async ({ page }) => {
  await openCausal(page);
  await page.getByTestId('causal-intervene').check();
  await page.getByTestId('switch-A-0').uncheck();
  await page.getByTestId('lambda-all').fill('0.5');
  await shown(page);
  await expect(page).toHaveURL(/set=[^&]*0-3=0\.5/);

  const starts = countStarts(page);
  await page.reload();
  await page.locator('#lens').scrollIntoViewIfNeeded();
  await page.locator('#causal').scrollIntoViewIfNeeded();
  await shown(page);
  await expect(page.getByTestId('switch-A-0')).not.toBeChecked();
  await expect(page.getByTestId('lambda-B-2')).toHaveValue('0.5');
  expect(starts()).toBe(0);
});

for (const theme of ['light', 'dark'] as const)
  test(`axe finds nothing in the causal sections, ${theme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme });
    await openCausal(page);
    await page.getByTestId('causal-run').click();
    await shown(page);
    const scan = () => new AxeBuilder({ page }).include('#causal').analyze();
    expect((await scan()).violations).toEqual([]);
    await page.getByTestId('causal-intervene').check();
    await page.getByTestId('switch-B-1.mixer_2').uncheck();
    await shown(page);
    expect((await scan()).violations).toEqual([]);
  });

test('switches and λ of a deep model stand under its layers, narrow as the page may be', async ({ page }) => {
  const folder = await mkdtemp(join('models', 'e2e-'));
  try {
    await writeModel(folder, 'deep', { layers: Array(40).fill('diff_mamba2'), expand: 1 });
    await open(page, '/?layer=20');
    await pickModel(page, 'b', `${basename(folder)}/deep`);
    await run(page);
    await page.locator('#lens').scrollIntoViewIfNeeded();
    await page.locator('#causal').scrollIntoViewIfNeeded();
    await page.getByTestId('causal-intervene').check();
    const centre = async (locator: Locator) => {
      const { x, width } = (await locator.boundingBox()) ?? { x: Number.NaN, width: Number.NaN };
      return x + width / 2;
    };
    const tick = page.getByTestId('change-curve').getByText('20', { exact: true });
    for (const [width, sliders] of [
      [1440, 40],
      [390, 1],
    ]) {
      await page.setViewportSize({ width, height: 900 });
      await expect(page.getByRole('slider', { name: /^λ of B/ })).toHaveCount(sliders);
      for (const name of ['switch-B-20', 'lambda-B-20']) {
        const control = page.getByTestId(name);
        await expect.poll(async () => Math.abs((await centre(control)) - (await centre(tick)))).toBeLessThan(2);
      }
    }
    // The marks of a narrow page choose whose controls stand there.
    await page.getByTestId('marks-B').scrollIntoViewIfNeeded();
    const marks = await page.getByTestId('marks-B').boundingBox();
    if (!marks) throw new Error('no marks');
    await page.mouse.click(marks.x + marks.width - 20, marks.y + 30);
    await expect(page.getByTestId('switch-B-20')).toHaveCount(0);
    await expect(page.getByRole('slider', { name: /^λ of B/ })).toHaveCount(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('runs over stories as a sweep, and shows means by class with their intervals', async ({ page }) => {
  const complaints = await openEstimates(page);
  const over = page.getByTestId('over-examples');
  await page.getByTestId('over-prompts').selectOption('10');
  await page.getByTestId('over-run').click();
  await expect(page.getByTestId('over-status')).toHaveAttribute('data-state', 'shown', { timeout: 80_000 });
  const [means] = await page.getByTestId('over-means').all();
  await expect(means.getByRole('columnheader', { name: /^needle/ })).toBeVisible();
  await expect(means.getByRole('row')).toHaveCount(5);
  // The room before block 0 brings the answer back in every story.
  await expect(means.getByRole('row').nth(1)).toContainText('+1.00[');
  await expect(over).toContainText('95 % bootstrap intervals over prompts, not over training seeds');
  const colours = await means
    .getByRole('row')
    .nth(1)
    .locator('td')
    .evaluateAll((cells) => cells.map((cell) => getComputedStyle(cell).backgroundColor));
  expect(new Set(colours).size).toBeGreaterThan(1);
  // They stay while another test has the section, and are among what is exported.
  await page.getByTestId('causal-knockout').check();
  await expect(means).toBeHidden();
  await page.getByTestId('causal-patch').check();
  await expect(means).toBeVisible();
  await page.keyboard.press('e');
  await expect(page.getByTestId('panel-causal/means-patch-0')).toBeVisible();
  await expect(page.getByTestId('export-python')).toContainText('patch_over_examples = result("');
  const link = await page.getByTestId('export-over-patch-json').getAttribute('href');
  const { result } = await (await page.request.get(link as string)).json();
  expect(result.sources[0].models).toHaveLength(2);
  expect(complaints).toEqual([]);
});

test('switches parts off over stories, layers together', async ({ page }) => {
  await openEstimates(page);
  await page.getByTestId('causal-intervene').check();
  await page.getByTestId('over-prompts').selectOption('10');
  // Branches are offered where every model has some.
  await expect(page.getByTestId('over-unit')).toHaveCount(0);
  await page.getByTestId('over-examples').getByTestId('causal-window').selectOption('2');
  await page.getByTestId('over-run').click();
  await expect(page.getByTestId('over-status')).toHaveAttribute('data-state', 'shown', { timeout: 80_000 });
  const [plain, differential] = await page.getByTestId('over-means').all();
  // Four layers by twos.
  await expect(plain.getByRole('row')).toHaveCount(4);
  await expect(plain.getByRole('rowheader').first()).toContainText('0–1');
  await expect(differential.getByRole('row')).toHaveCount(4);
  await page.getByRole('combobox', { name: 'What stands in for what is switched off' }).selectOption('mean');
  await expect(page.getByTestId('over-run')).toBeDisabled();
  await expect(page.getByTestId('over-examples')).toContainText('choose one of these above');
});

test('λ as a dose passes through the model as it is', async ({ page }) => {
  await openEstimates(page);
  await page.getByTestId('causal-intervene').check();
  await page.getByTestId('dose-run').click();
  await expect(page.getByTestId('dose-status')).toHaveAttribute('data-state', 'shown', { timeout: 40_000 });
  const points = page.locator('[data-testid="lambda-dose"] circle');
  await expect(points).toHaveCount(9);
  // The line that marks the own λ stands at the fifth of nine points.
  const own = await page.getByTestId('dose-own').getAttribute('d');
  await expect(points.nth(4)).toHaveAttribute('cx', /^M([\d.]+),/.exec(own ?? '')?.[1] ?? '');
  await page.getByTestId('dose-measure').selectOption('target_prob');
  await expect(points).toHaveCount(9);
});

test('patches windows of layers and classes of tokens', async ({ page }) => {
  await openCausal(page);
  await page.getByTestId('causal-rows').selectOption('classes');
  await page.getByTestId('causal-window').selectOption('2');
  await page.getByTestId('causal-run').click();
  await shown(page);
  await expect(aside(page)).toContainText('@needle');
  await expect(aside(page).getByRole('heading').first()).toContainText(/Layers \d–\d, all of \w+ together/);
});
