import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { build } from 'esbuild';
import fc from 'fast-check';
import { expectState } from './page';

type Exporters = Pick<typeof import('../components/export/figureSvg'), 'figureSvg' | 'svgText'> &
  Pick<typeof import('../components/export/htmlDocument'), 'htmlDocument'> &
  Pick<typeof import('../components/export/files'), 'pngOf'> &
  Pick<typeof import('../components/charts/tokens'), 'visible'>;

/** What writes files, by itself in an empty page. */
async function withExporters(page: Page): Promise<void> {
  const parts = ['./figureSvg', './htmlDocument', './files', '../charts/tokens'];
  const contents = parts.map((part) => `export * from '${part}';`).join('\n');
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: 'components/export', loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'exporters',
    target: 'es2022',
  });
  await page.addScriptTag({ content: outputFiles[0].text });
}

/** The page's parser on a file: its complaint, and what one reads. */
const parsed = (page: Page, text: string) =>
  page.evaluate((file) => {
    const drawing = new DOMParser().parseFromString(file, 'image/svg+xml');
    return {
      problem: drawing.querySelector('parsererror')?.textContent ?? null,
      text: drawing.documentElement.textContent ?? '',
    };
  }, text);

test('every exporter writes a file that parses, whatever the text', async ({ page }) => {
  await withExporters(page);
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(...'\0\x01\x08\x0b\x1b\x7f\x85\u202e\u2066\ufffe\uffff\ud800\udfff<>&"\']]>'),
    fc.string({ maxLength: 3 }),
  );
  const samples = fc.sample(fc.string({ unit, minLength: 1, maxLength: 24 }), { numRuns: 150, seed: 20261128 });
  // As numbers: the way into the browser would mend halves of surrogate pairs.
  const codes = samples.map((text) => Array.from({ length: text.length }, (_, k) => text.charCodeAt(k)));
  const problems = await page.evaluate(async (list) => {
    const { figureSvg, svgText, htmlDocument, pngOf, visible } = (window as unknown as { exporters: Exporters })
      .exporters;
    const found: string[] = [];
    for (const [k, units] of list.entries()) {
      const text = String.fromCharCode(...units);
      const figure = document.createElement('section');
      figure.innerHTML =
        '<p></p><aside><table><tr><td><input type="text" data-export="setting"></td></tr></table></aside><svg width="200" height="20"><text y="15"></text></svg>';
      document.body.replaceChildren(figure);
      const [line, input, words] = ['p', 'input', 'text'].map((name) => figure.querySelector(name));
      if (line) line.textContent = text;
      if (words) words.textContent = text;
      words?.setAttribute('aria-label', text);
      if (input instanceof HTMLInputElement) input.value = text;
      const svg = svgText(await figureSvg(figure, text));
      const drawing = new DOMParser().parseFromString(svg, 'image/svg+xml');
      const problem = drawing.querySelector('parsererror')?.textContent;
      if (problem) found.push(`svg of ${units.join(' ')}: ${problem}`);
      if (k % 30 === 0 && (await pngOf(svg)).size < 100) found.push(`png of ${units.join(' ')}`);
      const bare = svgText(await figureSvg(figure, text, { bare: true, prefix: 'one-' }));
      const look = { fonts: '', font: 'serif', mono: 'serif', background: 'white', ink: 'black', panel: 'white' };
      const model = { slot: 'A', name: text, tokens: [text], linked: true, curves: {} };
      const html = htmlDocument(
        { title: text, note: text, layers: 1, models: [model], areas: [] },
        [{ id: 'one', title: text, svg: bare }],
        { ...look, line: 'black' },
      );
      const saved = new DOMParser().parseFromString(html, 'text/html');
      if (JSON.parse(saved.getElementById('saved')?.textContent ?? '').models[0].tokens[0] !== visible(text))
        found.push(`numbers of ${units.join(' ')}`);
      if (saved.querySelectorAll('main > section').length !== 1 || saved.querySelectorAll('script').length !== 2)
        found.push(`html of ${units.join(' ')}`);
      const xhtml = new XMLSerializer().serializeToString(saved.querySelector('main svg') as SVGElement);
      if (new DOMParser().parseFromString(xhtml, 'image/svg+xml').querySelector('parsererror'))
        found.push(`svg inside html of ${units.join(' ')}`);
    }
    return found;
  }, codes);
  expect(problems).toEqual([]);
});

test('tokens that hold control characters are named on the page and in every export', async ({ page }) => {
  const folder = await mkdtemp(join('models', 'e2e-control-'));
  try {
    await cp(join('models', 'demo-mamba2'), folder, { recursive: true });
    const path = join(folder, 'tokenizer.json');
    const definition = JSON.parse(await readFile(path, 'utf8'));
    const renamed = new Map([
      ['Mary', '\x1b[31m'],
      ['kitchen', 'k\x01\x08it'],
      ['garden', 'g\0n'],
      ['John', '\ufffe\uffff'],
      ['the', '\u202ethe'],
      ['Sandra', '\ud800x'],
    ]);
    const vocabulary = Object.entries(definition.model.vocab).map(([word, id]) => [renamed.get(word) ?? word, id]);
    definition.model.vocab = Object.fromEntries(vocabulary);
    definition.pre_tokenizer = { type: 'WhitespaceSplit' };
    await writeFile(path, JSON.stringify(definition));
    const name = basename(folder);
    const prompt =
      '\x1b[31m entered \u202ethe k\x01\x08it . \ufffe\uffff entered \u202ethe g\0n . Where is \x1b[31m ? Answer:';
    const started = await page.request.post('/api/runs', { data: { models: [name], prompt, target: 'g\0n' } });
    expect(started.status(), await started.text()).toBe(202);
    const { id } = await started.json();
    await page.goto('/runs');
    await page
      .getByTestId('run-row')
      .filter({ hasText: `run ${id}` })
      .getByRole('link')
      .click();
    await expectState(page, 'done');
    await expect(page.getByTestId('chip-0')).toHaveText('<0x1B>[31m');
    await expect(page.getByTestId('chip-3')).toHaveText('k<0x01><0x08>it');
    await page.locator('#lens').scrollIntoViewIfNeeded();
    await expect(page.getByTestId('lens-A')).toBeVisible();
    await page.keyboard.press('e');
    const file = async (testId: string) => {
      const waiting = page.waitForEvent('download');
      await page.getByTestId(testId).click();
      return readFile(await (await waiting).path(), 'utf8');
    };
    await expect(page.getByTestId('export-lens-svg')).toBeVisible();
    const buttons = await page.locator('[data-testid^="export-"][data-testid$="-svg"]').all();
    expect(buttons.length).toBeGreaterThanOrEqual(4);
    for (const button of buttons) {
      const testId = (await button.getAttribute('data-testid')) as string;
      const { problem, text } = await parsed(page, await file(testId));
      expect(problem, testId).toBeNull();
      for (const word of ['<0x1B>[31m', '<U+202E>the', 'k<0x01><0x08>it', '<U+FFFE><U+FFFF>', 'g<0x00>n'])
        expect(text, testId).toContain(word);
    }
    const html = await file('export-html');
    expect(html.includes('&lt;0x1B&gt;[31m')).toBe(true);
    const unseen = [...html].filter((letter) => /[\p{Cc}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/u.test(letter));
    expect(unseen.filter((letter) => letter !== '\n')).toEqual([]);
    const numbers = await (
      await page.request.get(
        await page.getByTestId('export-lens-A-json').evaluate((a) => (a as HTMLAnchorElement).href),
      )
    ).json();
    expect(numbers.tokens[0]).toBe('\x1b[31m');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
