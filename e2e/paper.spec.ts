import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { open, run } from './page';

const POINTS_A_MM = 72 / 25.4;

/** Scrolls through the page until its last section is there. */
async function visitAll(page: Page): Promise<void> {
  for (const id of ['lens', 'causal', 'allocation', 'faithfulness'])
    await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  await expect(page.getByTestId('waterfall-B')).toBeVisible();
  await expect(page.getByTestId('allocation-curve')).toBeVisible();
}

/** What a click makes the browser save. */
async function saved(page: Page, testId: string): Promise<Buffer> {
  const waiting = page.waitForEvent('download');
  await page.getByTestId(testId).click();
  return readFile(await (await waiting).path());
}

const choose = async (page: Page, format: string, width: number, points = 6) => {
  await page.getByTestId('paper-format').selectOption(format);
  await page.getByTestId('paper-width').selectOption(String(width));
  await page.getByTestId('paper-points').fill(String(points));
};

/** Sizes of a figure: in millimetres, and of its labels in points. */
const sizesOf = (page: Page, file: string) =>
  page.evaluate((text) => {
    const svg = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
    const [width, height] = ['width', 'height'].map((name) => Number.parseFloat(svg.getAttribute(name) ?? ''));
    const across = Number(svg.getAttribute('viewBox')?.split(' ')[2]);
    const labels = [...svg.querySelectorAll('text, tspan')].flatMap((node) => {
      const size = Number.parseFloat(node.getAttribute('font-size') ?? '');
      return node.textContent?.trim() && size > 0 ? [((size / across) * width * 72) / 25.4] : [];
    });
    return { width, height, smallest: Math.min(...labels), labels: labels.length, text: svg.textContent ?? '' };
  }, file);

test('figures for print: every section at the width of a column, no label below 6 points, light, without asides', async ({
  page,
}) => {
  test.setTimeout(240_000);
  await page.emulateMedia({ colorScheme: 'dark' });
  const complaints = await open(page);
  await run(page);
  await visitAll(page);
  await page.keyboard.press('e');
  await expect(page.getByTestId('paper-builder')).toBeVisible();
  const boxes = page.locator('[data-testid^="panel-"]');
  const panels = await boxes.evaluateAll((all) => all.map((one) => (one as HTMLElement).dataset.testid as string));
  for (const section of ['signal', 'attention', 'lens', 'attribution', 'allocation'])
    expect(
      panels.some((id) => id.startsWith(`panel-${section}/`)),
      section,
    ).toBe(true);
  for (const id of panels) await page.getByTestId(id).check();
  for (const width of [85, 178]) {
    await choose(page, 'svg', width);
    const figure = await sizesOf(page, (await saved(page, 'paper-save')).toString());
    expect(figure.width).toBe(width);
    expect(figure.smallest).toBeGreaterThanOrEqual(5.99);
    expect(figure.smallest).toBeLessThan(7.5);
    expect(figure.labels).toBeGreaterThan(40);
    // What stands beside a figure is not in it, and every panel has its letter.
    expect(figure.text).not.toContain('Sum check');
    // Every plot names its quantity, beside it or above.
    for (const quantity of ['logit of the target', 'share of norms', 'needle / context'])
      expect(figure.text).toContain(quantity);
    expect(figure.text).toContain(String.fromCharCode(96 + panels.length));
  }
  await expect(page.getByTestId('paper-caption')).toContainText('(a) ');
  // A curve that is alone has the layers that stand below it on the page, and its quantity.
  for (const id of panels) await page.getByTestId(id).setChecked(id === 'panel-signal/signal-curve');
  await choose(page, 'svg', 85);
  const curve = await sizesOf(page, (await saved(page, 'paper-save')).toString());
  for (const word of [/margin/i, /layer/, /out/]) expect(curve.text).toMatch(word);
  for (const id of panels) await page.getByTestId(id).setChecked(id === 'panel-allocation/allocation-curve');
  const reads = await sizesOf(page, (await saved(page, 'paper-save')).toString());
  expect(reads.text).toMatch(/needle \/ context.*A.*B.*layer.*0.*3/s);
  // The page is as it was.
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.locator('html')).not.toHaveAttribute('data-paper');

  await choose(page, 'svg', 85, 8);
  expect((await sizesOf(page, (await saved(page, 'paper-save')).toString())).smallest).toBeGreaterThanOrEqual(7.99);
  await choose(page, 'svg', 85, 4);
  await page.getByTestId('paper-save').click();
  await expect(page.getByTestId('paper-builder').getByRole('alert')).toHaveText('Labels have 6 to 12 points, not “4”.');
  expect(complaints).toEqual([]);
});

test('a figure for print as PDF keeps its letters, and as PNG says its dots', async ({ page }) => {
  test.setTimeout(240_000);
  const complaints = await open(page);
  await run(page);
  await visitAll(page);
  await page.keyboard.press('e');
  await page.getByTestId('panel-attention/maps').check();
  await choose(page, 'pdf', 85);
  const pdf = (await saved(page, 'paper-save')).toString('latin1');
  expect(pdf.startsWith('%PDF-')).toBe(true);
  const [, , width] = /\/MediaBox \[([\d.]+) ([\d.]+) ([\d.]+)/.exec(pdf)?.slice(1).map(Number) ?? [];
  expect(width).toBeCloseTo(85 * POINTS_A_MM, 1);
  // Letters are letters of embedded fonts, which can be searched and set anew.
  expect(pdf).toContain('/FontFile2');
  expect(pdf).toContain('/ToUnicode');
  if (spawnSync('pdftotext', ['-v']).status === 0) {
    const text = execFileSync('pdftotext', ['-', '-'], { input: Buffer.from(pdf, 'latin1') }).toString();
    for (const word of ['hallway', 'two mixers, λ = 0.', 'mamba2, difference']) expect(text).toContain(word);
  }

  await choose(page, '300', 85);
  const png = await saved(page, 'paper-save');
  expect(png.readUInt32BE(16)).toBeGreaterThanOrEqual(1001);
  expect(png.readUInt32BE(16)).toBeLessThanOrEqual(1005);
  expect(png.subarray(37, 41).toString()).toBe('pHYs');
  expect(png.readUInt32BE(41)).toBe(11811);
  expect(complaints).toEqual([]);
});

/** The largest relative distance of two answers, number by number; infinite where they are not alike. */
function distance(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number')
    return a === b ? 0 : Math.abs(a - b) / Math.max(1e-6, Math.abs(a), Math.abs(b));
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
    return Math.max(0, ...a.map((each, k) => distance(each, b[k])));
  if (a && b && typeof a === 'object' && typeof b === 'object') {
    const keys = Object.keys(a);
    return Math.max(0, ...keys.map((key) => distance(a[key as keyof typeof a], b[key as keyof typeof b])));
  }
  return a === b ? 0 : Number.POSITIVE_INFINITY;
}

/** A file of tensors as its header and float32 values. */
function tensorsIn(file: Buffer): { header: unknown; values: number[] } {
  const end = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.subarray(8, end).toString());
  const { __metadata__: _made, ...tensors } = header as Record<string, { dtype: string }>;
  expect(Object.values(tensors).filter(({ dtype }) => dtype !== 'F32' && dtype !== 'I32')).toEqual([]);
  const values: number[] = [];
  // Integers compare as what their bits say as well: equal ones are equal.
  for (let at = end; at < file.length; at += 4) values.push(file.readFloatLE(at));
  return { header: tensors, values };
}

test('one program makes every number of the page again', async ({ page, baseURL }) => {
  test.skip(spawnSync('python3', ['--version']).status !== 0, 'needs python3');
  test.setTimeout(400_000);
  await open(page);
  await run(page);
  await page.getByTestId('batch-edit').click();
  await page.getByTestId('batch-stories').fill('4');
  await page.getByTestId('batch-demo').click();
  await expect(page.getByTestId('batch-status')).toHaveAttribute('data-state', 'done', { timeout: 60_000 });
  await visitAll(page);
  await page.getByTestId('causal-run').click();
  await expect(page.getByTestId('causal-status')).toHaveAttribute('data-state', 'shown', { timeout: 60_000 });
  await page.getByTestId('over-prompts').selectOption('10');
  await page.getByTestId('over-run').click();
  await expect(page.getByTestId('over-status')).toHaveAttribute('data-state', 'shown', { timeout: 80_000 });
  await page.keyboard.press('e');
  await expect(page.getByTestId('export-batch-json')).toBeVisible();
  await expect(page.getByTestId('export-python')).toContainText('batch = result("');
  const folder = await mkdtemp(join(tmpdir(), 'statescope-again-'));
  try {
    const program = (await saved(page, 'export-reproduce')).toString();
    const out = execFileSync('python3', ['-', baseURL as string, folder], { input: program }).toString();
    expect(out).toMatch(/^\d+ files in /);
    const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
    const names = Object.keys(index);
    expect((await readdir(folder)).length).toBe(names.length + 1);
    for (const kind of ['map', 'signal', 'lens', 'attribution', 'allocation', 'channels'])
      expect(names.filter((name) => name.includes(`-${kind}.`)).length, kind).toBeGreaterThanOrEqual(2);
    for (const [name, { run: id, path }] of Object.entries<{ run?: string; path?: string }>(index)) {
      const again = await readFile(join(folder, name));
      if (!id) continue;
      const shown = await (await page.request.get(`/api/runs/${id}/${path}`)).body();
      if (name.endsWith('.json'))
        expect(distance(JSON.parse(shown.toString()), JSON.parse(again.toString())), name).toBeLessThan(1e-5);
      else {
        const [first, second] = [shown, again].map(tensorsIn);
        expect(second.header, name).toEqual(first.header);
        const size = Math.max(1e-6, ...first.values.filter(Number.isFinite).map(Math.abs));
        const off = first.values.map((value, k) =>
          Object.is(value, second.values[k]) ? 0 : Math.abs(value - second.values[k]),
        );
        expect(Math.max(...off) / size, name).toBeLessThan(1e-5);
      }
    }
    // The batch, the estimates of both models, and the test over examples.
    const links = await page.locator('[data-testid="export"] a').evaluateAll((all) =>
      all.flatMap((one) => {
        const [href, file] = [one.getAttribute('href') ?? '', one.getAttribute('download') ?? ''];
        return /^\/api\/(analyses|sweeps)\//.test(href) ? [{ href, file }] : [];
      }),
    );
    expect(links.length).toBeGreaterThanOrEqual(4);
    for (const { href, file } of links) {
      const { result } = await (await page.request.get(href)).json();
      expect(distance(result, JSON.parse(await readFile(join(folder, file), 'utf8'))), file).toBeLessThan(1e-5);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
