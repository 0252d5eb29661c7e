// npm run bench:page: what the page costs in a real browser, on the production build. Prints one line a figure.
import { chromium as browsers } from '@playwright/test';
import { chromium as findBrowser } from '../lib/chromium.mjs';
import { FIRST_LOAD_BUDGET, loadedScripts } from '../lib/first-load.mjs';
import { freePort, startServer } from '../lib/serve.mjs';

const HOVERS = 200;
/** Two frames. Waiting here and not in the page: a question to it is work of its main thread that no reader causes. */
const HOVER_EVERY_MS = 34;
const REDRAWS = 20;
const LONG_SENTENCES = 100;
const ZOOM_SENTENCES = 408;
const ZOOMS = 60;
/** Steps of the zoom whose frames are counted, as often as a display shows one. */
const STEPS = 180;
const FRAME_MS = 1000 / 60;
/** After so long a view has come to rest, and the page has drawn it. */
const REST_MS = 600;

const report = (what, value, aim) => console.log(`${what.padEnd(58)} ${value.padStart(10)}   aim ${aim}`);
const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;
const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

/** Resolves, in the page, to the time from now until the lower triangle of map A shows more than one colour. */
const untilDrawn = () => {
  const start = performance.now();
  document.querySelector('[data-testid="run-button"]').click();
  return new Promise((resolve) => {
    const look = () => {
      const canvas = document.querySelector('[data-testid="maps"] canvas');
      if (canvas?.width) {
        const { width, height } = canvas;
        const copy = new OffscreenCanvas(width, height).getContext('2d');
        copy.drawImage(canvas, 0, 0);
        const pixels = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
        const seen = new Set();
        for (let y = 0; y < height; y += 4) for (let x = 0; x < y && x < width; x += 4) seen.add(pixels[y * width + x]);
        if (seen.size > 2) return requestAnimationFrame(() => resolve(performance.now() - start));
      }
      requestAnimationFrame(look);
    };
    look();
  });
};

/** Milliseconds of main-thread work that `action` causes: processor time, so that other programs count little. */
async function busy(cdp, action) {
  const total = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
  };
  const before = await total();
  await action();
  return (await total()) - before;
}

const done = (page) =>
  page.waitForSelector('[data-testid="status"][data-state="done"]', { state: 'attached', timeout: 120_000 });

async function measureFirstVisit(page, origin) {
  await page.goto(origin);
  await page.waitForSelector('[data-testid="run-button"]:enabled');
  report(
    'JavaScript of the first load, compressed',
    kilobytes(await loadedScripts(page)),
    kilobytes(FIRST_LOAD_BUDGET),
  );
  report('first Run of a fresh server to the first cells', ms(await page.evaluate(untilDrawn)), '2 s');
  await done(page);
}

async function runLong(page, count) {
  const sentences = Array.from({ length: count }, () => 'Mary entered the kitchen .').join(' ');
  await page.getByTestId('prompt-edit').click();
  await page.getByTestId('prompt-text').fill(`${sentences} Where is Mary ? Answer :`);
  await page.getByTestId('prompt-apply').click();
  await page.getByTestId('run-button').click();
  await page.waitForSelector('[data-testid="status"][data-state="running"]', { state: 'attached' });
  await done(page);
}

async function measureLongPrompt(page, cdp) {
  await runLong(page, LONG_SENTENCES);
  const box = await page.getByTestId('map-A').boundingBox();
  await page.mouse.move(0, 0);
  const settle = () => page.waitForTimeout(300);

  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  for (const key of ['[', ']']) {
    await page.keyboard.press(key);
    await settle();
  }
  const redraw = await busy(cdp, async () => {
    for (let k = 0; k < REDRAWS; k++) {
      await page.keyboard.press(k % 2 ? ']' : '[');
      await page.waitForTimeout(50);
    }
  });
  report('redraw of a computed map, L = 505 (branch to branch)', ms(redraw / REDRAWS), '16 ms');

  const place = (await page.getByTestId('map-A').boundingBox()) ?? box;
  const hovers = await busy(cdp, async () => {
    for (let k = 0; k < HOVERS; k++) {
      await page.mouse.move(place.x + place.width * 0.3 + (k % 20), place.y + place.height * 0.6 + k / 10);
      await page.waitForTimeout(HOVER_EVERY_MS);
    }
  });
  report('hover update of all panels, L = 505', ms(hovers / HOVERS), '8 ms');
}

/** Times in milliseconds at which the browser drew a frame while `action` ran, from a trace. */
async function framesDuring(cdp, action) {
  const drawn = [];
  const collect = ({ value }) =>
    drawn.push(...value.filter(({ name, ph }) => name === 'Display::DrawAndSwap' && 'XB'.includes(ph)));
  cdp.on('Tracing.dataCollected', collect);
  await cdp.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['viz'] } });
  await action();
  const complete = new Promise((resolve) => cdp.once('Tracing.tracingComplete', resolve));
  await cdp.send('Tracing.end');
  await complete;
  cdp.off('Tracing.dataCollected', collect);
  return drawn.map(({ ts }) => ts / 1000).sort((a, b) => a - b);
}

/** Frames a second of wall time, and how many came later than the display's next one, while the wheel turns 60 times a second. */
async function measureZoomFrames(cdp, { x, y }) {
  const sent = [];
  const drawn = await framesDuring(cdp, async () => {
    const start = performance.now();
    for (let k = 0; k < STEPS; k++) {
      const early = start + k * FRAME_MS - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      const deltaY = k % ZOOMS < ZOOMS / 2 ? -24 : 24;
      sent.push(cdp.send('Input.dispatchMouseEvent', { type: 'mouseWheel', x, y, deltaX: 0, deltaY, modifiers: 2 }));
    }
    await Promise.all(sent);
  });
  const between = drawn.slice(1).map((time, k) => time - drawn[k]);
  const late = between.filter((time) => time > 1.5 * FRAME_MS).length;
  const rate = (1000 * between.length) / (drawn[drawn.length - 1] - drawn[0]);
  report('frames a second of wall time in that zoom', rate.toFixed(0), '60');
  report(`frames of ${drawn.length} that came a frame late or more`, `${late}`, '0');
}

/** Main-thread work a frame while the wheel zooms in and out of maps of 2048 tokens, and until the view rests. */
async function measureZoom(page, cdp) {
  await runLong(page, ZOOM_SENTENCES);
  await page.getByTestId('map-A').scrollIntoViewIfNeeded();
  await page.waitForSelector('[data-testid="maps"] .cells canvas');
  await page.waitForTimeout(1000);
  const place = await page.getByTestId('map-A').boundingBox();
  const at = { x: place.x + place.width * 0.3, y: place.y + place.height * 0.6 };
  await page.mouse.move(at.x, at.y);
  await page.keyboard.down('Control');
  const sweep = async () => {
    for (let k = 0; k < ZOOMS; k++) {
      await page.mouse.wheel(0, k < ZOOMS / 2 ? -24 : 24);
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
    await page.waitForTimeout(REST_MS);
  };
  await sweep();
  const spent = await busy(cdp, sweep);
  await page.keyboard.up('Control');
  report('zoom by the wheel, L = 2045, a frame', ms(spent / ZOOMS), '16 ms');
  await measureZoomFrames(cdp, at);
}

const port = await freePort();
const server = await startServer(port);
try {
  const executablePath = await findBrowser();
  if (!executablePath) process.exit(1);
  const browser = await browsers.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  await measureFirstVisit(page, `http://127.0.0.1:${port}`);
  await measureLongPrompt(page, cdp);
  await measureZoom(page, cdp);
  await browser.close();
} finally {
  server.kill();
}
