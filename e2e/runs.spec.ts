import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import AxeBuilder from '@axe-core/playwright';
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
  await expect(page.getByTestId('export-python')).toContainText(`${id}/export?what=map`);
});

test('the whole page as one file keeps its hover without a server', async ({ page, browser }, info) => {
  await open(page);
  await run(page);
  await expect(page.getByTestId('lens-B')).toBeVisible();
  await page.keyboard.press('e');
  const html = await download(page, 'export-html');
  const path = info.outputPath('saved.html');
  await writeFile(path, html);
  await page.keyboard.press('Escape');
  await page.getByTestId('maps').focus();
  await page.keyboard.press('ArrowLeft');
  const inspected = await page.getByTestId('inspector').textContent();

  const saved = await (await browser.newContext({ offline: true })).newPage();
  const complaints: string[] = [];
  saved.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  saved.on('pageerror', (error) => complaints.push(error.message));
  await saved.goto(pathToFileURL(path).href);
  const readout = saved.locator('#readout');
  const map = saved.locator('[aria-label^="Attention map"]').first();
  await map.hover({ position: { x: 5, y: ((await map.boundingBox())?.height ?? 0) - 5 } });
  await expect(readout).toContainText(/0 Mary → 28 :\s+A [+−\d].*B [+−\d]/);
  const [value] = /A ([+−]?[\d.e−]+)/.exec((await readout.textContent()) ?? '')?.slice(1) ?? [];
  expect(Number(value?.replace('−', '-'))).not.toBeNaN();
  await saved.locator('.area[aria-label^="Signal by layer"]').first().focus();
  await saved.keyboard.press('ArrowRight');
  await expect(readout).toContainText(/layer 0\s+p\(target\) A [\d.]/);
  await saved.locator('.area[aria-label^="Lens"]').first().focus();
  await expect(readout).toContainText('entropy');
  expect(inspected).toContain('28');
  expect(complaints).toEqual([]);
  await saved.close();
});

test('cells become rectangles, and numbers come in the form that is shown', async ({ page }) => {
  await open(page);
  await run(page);
  await page.keyboard.press('f');
  await page.keyboard.press('f');
  await expect(page.locator('.legend')).toContainText('contribution to the target’s logit');
  await page.keyboard.press('e');
  await page.getByTestId('export-rectangles').check();
  const svg = (await download(page, 'export-attention-svg')).toString('utf8');
  const counts = await page.evaluate((text) => {
    const drawing = new DOMParser().parseFromString(text, 'image/svg+xml');
    return {
      images: drawing.querySelectorAll('image').length,
      cells: drawing.querySelectorAll('g[shape-rendering="crispEdges"] > rect').length,
    };
  }, svg);
  // Two lower triangles of 29 tokens; the legend's ramp and the branches stay images.
  expect(counts.cells).toBeGreaterThan(500);
  const csv = (await download(page, 'export-map-B-csv')).toString();
  expect(csv).toContain('# form: logit');
  expect(csv).toContain('# unit: logits');
  expect(csv).toContain(',rest');
});

test('two runs stand in one set of figures, or the page says why not', async ({ page, request }) => {
  const start = async (prompt: string, target: string) => {
    const models = ['demo-mamba2', 'demo-diff-mamba2'];
    const { id } = await (await request.post('/api/runs', { data: { models, prompt, target } })).json();
    await expect.poll(async () => (await (await request.get(`/api/runs/${id}`)).json()).state).toBe('done');
    return id as string;
  };
  const first = await start('Mary entered the kitchen . Where is Mary ? Answer :', 'kitchen');
  const second = await start('John entered the garden . Where is John ? Answer :', 'garden');
  const longer = await start('John entered the garden . Mary left . Where is John ? Answer :', 'garden');
  await page.goto('/runs');
  for (const id of [first, second]) await page.getByLabel(`Compare run ${id}`).check();
  await page.getByTestId('compare').click();
  await expect(page.getByTestId('map-difference')).toBeVisible();
  await expect(page.getByTestId('lens-B')).toBeVisible();
  await expect(page.getByTestId('compare-model-B')).toHaveValue('0');
  await page.getByTestId('compare-model-B').selectOption('1');
  await expect(page).toHaveURL(new RegExp(`second=${second}\\.1`));
  await page.keyboard.press('Home');
  await expect(page).toHaveURL(/layer=0/);
  await expect(page.getByTestId('layer-strip')).toHaveAttribute('aria-valuenow', '0');
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.keyboard.press('e');
  const svg = (await download(page, 'export-attention-svg')).toString('utf8');
  expect(svg).toMatch(new RegExp(`run ${first}.*run ${second}`));
  expect((await download(page, 'export-signal-B-csv')).toString()).toContain(`# run: ${second}`);
  expect((await download(page, 'export-html')).toString('utf8')).toContain(`runs ${first} and ${second}`);
  await page.goto(`/compare?first=${first}&second=${longer}`);
  await expect(page.getByTestId('compare-obstacle')).toContainText(/reads 11 tokens and run \w+ 14/);
  await expect(page.getByTestId('layer-strip')).toBeVisible();
  await expect(page.getByTestId('map-A')).toHaveCount(0);
});

test('a cancelled run goes on from its last layer; the queue and the cost are told', async ({ page, request }) => {
  await open(page);
  await expect(page.getByTestId('forecast')).toHaveText(/needs [\d.]+ [kM]B/);
  const words = Array.from({ length: 330 }, () => 'Mary entered the kitchen .').join(' ');
  const data = { models: ['demo-mamba2', 'demo-diff-mamba2'], prompt: words, target: 'kitchen' };
  const before: string[] = [];
  for (let k = 0; k < 5; k++) before.push((await (await request.post('/api/runs', { data })).json()).id);
  await page.getByTestId('run-button').click();
  await expect(page.getByTestId('status')).toContainText(/\d(st|nd|rd|th) in queue/);
  await page.getByTestId('run-button').click();
  await expectState(page, 'cancelled');
  for (const id of before) await request.delete(`/api/runs/${id}`);
  await page.getByTestId('resume').click();
  await expectState(page, 'done');
  await expect(page.getByTestId('map-B')).toBeVisible();
  await expect(page.getByTestId('resume')).toHaveCount(0);
});

test('a model is found by search', async ({ page }) => {
  await open(page);
  await page.getByTestId('model-a').click();
  await page.getByTestId('model-search').fill('diff');
  await expect(page.getByTestId('pick-demo-mamba2')).toHaveCount(0);
  await expect(page.getByTestId('pick-demo-diff-mamba2').locator('rect')).toHaveCount(4);
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.getByTestId('pick-demo-diff-mamba2').click();
  await expect(page).toHaveURL(/a=demo-diff-mamba2/);
});

test('exported figures have their tokens, settings and ramps, as the page shows them', async ({ page }) => {
  await open(page);
  await run(page);
  await page.locator('#lens').scrollIntoViewIfNeeded();
  await page.locator('#causal').scrollIntoViewIfNeeded();
  await page.getByTestId('causal-intervene').check();
  await page.getByTestId('switch-A-0').uncheck();
  await page.keyboard.press('e');
  const figure = async (id: string) => (await download(page, `export-${id}-svg`)).toString('utf8');
  const prompt = await figure('prompt');
  for (const word of ['Sandra', 'hallway', 'bathroom']) expect(prompt).toContain(`>${word}</text>`);
  expect(prompt.match(/<rect[^>]*fill="rgb/g)?.length).toBeGreaterThan(0);
  const lens = await figure('lens');
  // Cells are pictures, what they say is text.
  expect(lens.match(/<text[^>]*IBM Plex Mono[^>]*>bathroom<\/text>/)).not.toBeNull();
  expect(lens.match(/data-ramp[^>]*>(<rect[^>]*>(<\/rect>)?){48}/)).not.toBeNull();
  const causal = await figure('causal');
  // One of the blocks and branches is off: an empty box.
  expect(causal.match(/rx="2" fill="none"/g)).toHaveLength(1);
  expect(causal.match(/rx="2" fill="rgb/g)?.length).toBeGreaterThan(8);
  expect(causal).not.toContain('The keys');
  // Controls stay on the page; rows that are buttons are the text of their table.
  const maps = await figure('attention');
  expect(maps).toContain('>Convention.<');
  // What the maps are of, the equation of the branches, and what the controls were set to.
  expect(maps).toContain('S6 α, signed mean over heads');
  for (const term of ['mixer 1', 'λ·mixer 2', 'difference', '−', '=']) expect(maps).toContain(`>${term}</text>`);
  expect(maps).toContain('Reduction over channels: signed mean');
  expect(maps).toContain('>by |A|</text>');
  expect(prompt).toContain('>6 words</text>');
  expect(prompt).not.toContain('A click on a token');
  for (const control of ['Saturate at', 'Heads by', 'per row', 'Zoom']) expect(maps).not.toContain(control);
  expect(causal).toContain('tnum');
  await page.keyboard.press('Escape');
  await page.getByTestId('causal-knockout').check();
  await page.keyboard.press('e');
  const knockout = await figure('causal');
  for (const said of ['Who stops reading: all later tokens', 'What is cut: in the scan', 'both branches'])
    expect(knockout).toContain(said);
  expect(knockout).not.toContain('Drag over');
});

test('a local folder is added from the page; one outside the allowed folders is refused', async ({ page }) => {
  const folder = await mkdtemp(join('models', 'e2e-'));
  try {
    await cp(join('models', 'demo-mamba2'), join(folder, 'deep', 'later', 'my-mamba2'), { recursive: true });
    await mkdir(join(folder, 'deep', 'later', 'broken'));
    await writeFile(join(folder, 'deep', 'later', 'broken', 'config.json'), '{');
    await open(page);
    await page.getByTestId('model-b').click();
    await page.getByTestId('model-folder').fill('/etc');
    await page.getByTestId('model-folder-add').click();
    await expect(page.getByTestId('model-folder-problem')).toContainText(/outside the folders.*STATESCOPE_MODELS=/);
    await page.getByTestId('model-folder').fill(join(basename(folder), 'deep', 'later'));
    await page.getByTestId('model-folder').press('Enter');
    await expect(page.getByTestId('model-folder-found')).toContainText('Found my-mamba2. Not usable: broken');
    await expect(page.getByTestId('unreadable-broken')).toContainText('weights');
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await page.getByTestId('pick-my-mamba2').click();
    await run(page);
    await expect(page.getByTestId('model-b')).toContainText('my-mamba2');

    await page.getByTestId('model-b').click();
    await page.getByRole('button', { name: /^Remove .*later from the list/ }).click();
    await expect(page.getByTestId('added-folders')).toHaveCount(0);
    await expect(page.getByTestId('pick-my-mamba2')).toHaveCount(0);
    await page.getByTestId('model-folder').fill(join(basename(folder), 'deep', 'later'));
    await page.getByTestId('model-folder').press('Enter');
    await expect(page.getByTestId('added-folders')).toContainText('later');
    await rm(folder, { recursive: true });
    await page.reload();
    await page.getByTestId('model-a').click();
    await expect(page.getByTestId('dropped-folder')).toContainText('later is gone, so it was taken from the list.');
    await page.getByRole('button', { name: /^Dismiss/ }).click();
    await expect(page.getByTestId('added-folders')).toHaveCount(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('what a client asked for is dropped once it has closed the connection', async ({ request, baseURL }) => {
  // A map in 125 strips and 1024 tokens to their end: a busy machine needs minutes.
  test.slow();
  const prompt = Array.from({ length: 400 }, () => 'Mary entered the kitchen .').join(' ');
  const { id } = await (
    await request.post('/api/runs', { data: { models: ['demo-mamba2'], prompt, target: 'kitchen' } })
  ).json();
  const state = async () => (await (await request.get(`/api/runs/${id}`)).json()).state;
  await expect.poll(state, { timeout: 60_000 }).toBe('done');
  const map = (layer: number, signal?: AbortSignal) =>
    fetch(`${baseURL}/api/runs/${id}/map?layer=${layer}&form=norm`, { signal });
  /** Asks for a map that is made in 125 strips, leaves while it waits or not, and says whether it was made all the same. */
  const isMade = async (layer: number, stay: boolean, next: number) => {
    const abort = new AbortController();
    const answer = map(layer, abort.signal).catch(() => undefined);
    await request.get('/api/health');
    if (!stay) abort.abort();
    // Whatever the worker makes at all, it has made once it has answered a map that was asked for later.
    expect((await map(next)).status).toBe(200);
    if (stay) await answer;
    const { kept } = await (await request.get(`/api/runs/${id}/map/estimate?layer=${layer}&form=norm`)).json();
    return kept;
  };
  expect(await isMade(0, false, 1)).toBe(false);
  expect(await isMade(2, true, 3)).toBe(true);

  /** Begins a long continuation, leaves after its first tokens or not. @returns how long it then still computes, ms */
  const generates = async (stay: boolean) => {
    const abort = new AbortController();
    const body = JSON.stringify({ model: 'demo-mamba2', prompt: 'Mary entered', max_new_tokens: 1024 });
    const headers = { 'content-type': 'application/json' };
    const stream = await fetch(`${baseURL}/api/generate`, { method: 'POST', headers, body, signal: abort.signal });
    await stream.body?.getReader().read();
    const start = performance.now();
    if (!stay) abort.abort();
    const queue = async () => (await (await request.get('/api/health')).json()).queue;
    await expect.poll(queue, { intervals: [5], timeout: 120_000 }).toBe(0);
    return performance.now() - start;
  };
  // To the end it takes fifty times as long.
  expect(await generates(false)).toBeLessThan((await generates(true)) / 4);
});

test('a model reads with the tokenizer that is chosen on the page, which is said', async ({ page }) => {
  const folder = await mkdtemp(join('models', 'e2e-'));
  const name = basename(folder);
  try {
    await cp(join('models', 'demo-mamba2'), folder, { recursive: true });
    await rm(join(folder, 'tokenizer.json'));
    await open(page);
    await page.getByTestId('model-b').click();
    await expect(page.getByTestId(`pick-${name}`)).toBeDisabled();
    await page.getByTestId('tokenizer-model').selectOption(name);
    await expect(page.getByTestId('tokenizer-source')).toContainText('has no tokenizer: choose one');
    await page.getByTestId('tokenizer-choice').selectOption('a file…');
    await page.getByTestId('tokenizer-file').fill('/etc/tokenizer.json');
    await page.getByTestId('tokenizer-file').press('Enter');
    await expect(page.getByTestId('tokenizer-problem')).toContainText('outside the folders');
    await page.getByTestId('tokenizer-choice').selectOption('demo-mamba2');
    await expect(page.getByTestId('tokenizer-source')).toContainText('those of demo-mamba2, which was chosen');
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await page.getByTestId(`pick-${name}`).click();
    await run(page);
    await expect(page.getByTestId('model-warning')).toContainText('is cut into the tokens of demo-mamba2, as chosen');
    await page.getByTestId('model-b').click();
    await page.getByTestId('tokenizer-choice').selectOption('by itself');
    await expect(page.getByTestId('tokenizer-source')).toContainText('has no tokenizer');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
