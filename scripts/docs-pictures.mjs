// npm run docs:pictures: draws the pictures of docs/analyses.md again: the page's first example, and the demo pair on its own first one, through the
// page's own export. They change only where models, example or figures do.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium as browsers } from '@playwright/test';
import { chromium as findBrowser } from './lib/chromium.mjs';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { freePort, startServer } from './lib/serve.mjs';

/** The patched pair: the example, and the same story in another room. */
const PAIR = new URLSearchParams({
  corrupted:
    'Mary reached the bathroom. Sandra entered the office. A bird sang outside. Mary left the book in the garden. Where is Sandra? Answer:',
  foil: 'office',
});

/** Runs the test that is shown, where it waits for its button, and waits for its grid. */
async function causal(page) {
  const start = page.getByTestId('causal-run');
  if (await start.count()) await start.click();
  await page.waitForSelector('[data-testid="causal-status"][data-state="shown"]', { state: 'attached' });
}

const measured = (page) => page.getByTestId('allocated-B').getByRole('row').first().waitFor();

/** File, figure, what the link of the page chooses, and what is to be waited for. */
const PICTURES = [
  ['attention-s6', 'attention', 'layer=0'],
  ['attention-block', 'attention', 'layer=0&form=block'],
  ['attention-logit', 'attention', 'layer=0&form=logit'],
  ['attention-norm', 'attention', 'layer=0&form=norm'],
  ['attention-rollout', 'attention', 'layer=0&layers=plain&values=log'],
  ['attention-attribution', 'attention', 'layer=0&layers=attribution&values=log'],
  ['lens', 'lens', ''],
  ['lens-tuned', 'lens', 'through=tuned'],
  ['attribution', 'attribution', 'layer=0', (page) => page.getByTestId('waterfall-B').waitFor()],
  ['patch', 'causal', `layer=0&test=patch&cell=0-8&${PAIR}`, causal],
  ['knockout', 'causal', `layer=0&test=knockout&how=exact&rows=tokens&cell=0-8&cut=5-8&foil=office`, causal],
  ['intervene', 'causal', 'layer=0&test=intervene&metric=margin&foil=office&set=demo-diff-mamba2:0-3=0', causal],
  ['allocation', 'allocation', 'layer=0', measured],
  ['signal', 'signal', 'metric=margin'],
];

const FIRST = [
  ['first-signal', 'signal', ''],
  ['first-attention', 'attention', 'layer=5&form=logit'],
  ['first-allocation', 'allocation', 'layer=5', measured],
];

/** Pixels across: sharp at the width of a page of text. */
const WIDTH = 1000;

const folder = join(ROOT, 'docs', 'pictures');

/** In the page: a PNG at another width, as base64. */
async function shrunk({ png, width }) {
  const bits = Uint8Array.from(atob(png), (character) => character.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bits], { type: 'image/png' }));
  const canvas = new OffscreenCanvas(width, Math.round((picture.height * width) / picture.width));
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** Opens a link into a finished run and waits until its figures stand still. */
async function openRun(page, link) {
  await page.goto(link);
  await page.waitForSelector('[data-testid="status"][data-state="done"]', { state: 'attached' });
  await page.waitForLoadState('networkidle');
  for (const map of ['map-A', 'map-B']) await page.getByTestId(map).waitFor();
}

/** Brings a figure onto the page: those far below are made when one comes near them. */
async function approach(page, figure) {
  for (const id of ['lens', 'attribution', 'causal', 'allocation']) {
    await page.locator(`#${id}`).scrollIntoViewIfNeeded();
    if (id === figure) return;
  }
}

/** The bars of heads and the table of one model's, which are controls and no figure, as they stand on the page. */
async function saveTables(page) {
  await page.getByTestId('heads-open').click();
  await page.getByTestId('heads-table-B').click();
  await page.getByTestId('channel-table-B').waitFor();
  const full = await page.locator('.heads-row').screenshot();
  await write(page, 'channels', full);
}

async function save(page, name, figure) {
  await page.locator('[data-shortcut="export"]').first().click();
  const download = page.waitForEvent('download');
  await page.getByTestId(`export-${figure}-png`).click();
  await write(page, name, await readFile(await (await download).path()));
  await page.keyboard.press('Escape');
}

async function write(page, name, full) {
  const small = Buffer.from(await page.evaluate(shrunk, { png: full.toString('base64'), width: WIDTH }), 'base64');
  await writeFile(join(folder, `${name}.png`), small);
  say(`${name}.png, ${Math.ceil(small.length / 1024)} kB`);
}

const port = Number(process.env.PICTURES_PORT ?? 0) || (await freePort());
const server = process.env.PICTURES_PORT ? null : await startServer(port, { STATESCOPE_DATA: 'none' });
const browser = await browsers.launch({ executablePath: await findBrowser(), args: ['--no-sandbox', '--disable-gpu'] });
try {
  await mkdir(folder, { recursive: true });
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 }, colorScheme: 'light' });
  page.setDefaultTimeout(120_000);
  const home = `http://127.0.0.1:${port}/`;
  /** Runs an example and saves its pictures. @returns the link to the run */
  const drawn = async (example, pictures) => {
    await page.goto(`${home}?example=${example}`);
    await page.locator('[data-testid="run-button"]:enabled').click();
    await page.waitForSelector('[data-testid="status"][data-state="done"]', { state: 'attached' });
    // The link follows a moment later.
    await page.waitForURL(/[?&]run=/);
    // With what the example says of its tokens.
    const run = page.url();
    for (const [name, figure, choice, ready] of pictures) {
      await openRun(page, `${run}&${choice}`);
      if (ready) await approach(page, figure);
      await ready?.(page);
      await save(page, name, figure);
    }
    return run;
  };
  await drawn('stories-person', FIRST);
  const run = await drawn('person-short', PICTURES);
  const sharp = await browser.newPage({ viewport: { width: 1100, height: 900 }, deviceScaleFactor: 2 });
  sharp.setDefaultTimeout(120_000);
  await openRun(sharp, `${run}&layer=0`);
  await saveTables(sharp);
} finally {
  await browser.close();
  server?.kill();
}
