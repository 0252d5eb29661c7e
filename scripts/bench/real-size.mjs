// npm run bench:real-size -- [--models mamba2-370m,diff-mamba2-370m] [--tokens 512]: when the page shows what, on a pair of published
// shapes with random weights that are loaded already. Seconds by the clock: on a quiet machine.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium as browsers } from '@playwright/test';
import { chromium as findBrowser } from '../lib/chromium.mjs';
import { ROOT } from '../lib/root.mjs';
import { freePort, startServer } from '../lib/serve.mjs';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'mamba2-370m,diff-mamba2-370m' },
    tokens: { type: 'string', default: '512' },
  },
});
const models = values.models.split(',');
const L = Number(values.tokens);

/** " the" is one token of GPT-NeoX's, which reads models of 50,280 rows. */
const the = (count) => 'the'.concat(' the'.repeat(count - 1));

/** Follows the events of a run; resolves to the times at which each layer and the end came. */
async function follow(url) {
  const layers = [];
  const reader = (await fetch(url)).body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ; ) {
    const { value, done } = await reader.read();
    if (done) return { layers, done: Date.now() };
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line === 'event: layer') layers.push(Date.now());
  }
}

/** In the page: notes when the first map has colours and when the curve has `count` marks. */
function watch(count) {
  const seen = {};
  window.seen = seen;
  const coloured = ({ width, height }, canvas) => {
    const copy = new OffscreenCanvas(width, height).getContext('2d');
    copy.drawImage(canvas, 0, 0);
    return new Set(new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)).size > 2;
  };
  const look = () => {
    const canvas = document.querySelector('[data-testid="maps"] canvas');
    if (!seen.map && canvas?.width && coloured(canvas, canvas)) seen.map = Date.now();
    if (document.querySelectorAll('[data-testid="signal-curve"] .mark').length >= count) seen.curve = Date.now();
    if (!seen.map || !seen.curve) setTimeout(look, 50);
  };
  look();
}

const memoryOf = ({ pid }) =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 2 ** 20;

const executablePath = await findBrowser();
if (!executablePath) process.exit(1);
const scratch = mkdtempSync(join(tmpdir(), 'statescope-real-size-'));
let server;
try {
  for (const model of models)
    spawnSync(process.execPath, [join(ROOT, 'scripts', 'bench', 'random-model.mjs'), model, join(scratch, model)], {
      stdio: 'inherit',
    });
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  server = await startServer(port, { STATESCOPE_MODELS: scratch, STATESCOPE_DATA: join(scratch, 'data') });
  console.log(`load ${loadavg()[0].toFixed(1)}; ${models.join(' and ')}, ${L} tokens; seconds by the clock`);
  const warm = await fetch(`${origin}/api/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ models, prompt: the(8), target: ' the' }),
  });
  const { id: short } = await warm.json();
  await follow(`${origin}/api/runs/${short}/events`);
  const browser = await browsers.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const query = new URLSearchParams({ a: models[0], b: models[1], prompt: the(L), target: ' the' });
  await page.goto(`${origin}/?${query}`);
  await page.waitForSelector('[data-testid="run-button"]:enabled');
  const answered = page.waitForResponse((one) => one.request().method() === 'POST' && one.url().endsWith('/api/runs'));
  const pressed = Date.now();
  await page.getByTestId('run-button').click();
  const { id } = await (await answered).json();
  const [times] = await Promise.all([
    follow(`${origin}/api/runs/${id}/events`),
    // The embedding, every block and the output of both.
    fetch(`${origin}/api/models`)
      .then((answer) => answer.json())
      .then(({ models: all }) => all.filter(({ name }) => models.includes(name)))
      .then((all) =>
        page.evaluate(
          watch,
          all.reduce((sum, { layers }) => sum + layers.length + 2, 0),
        ),
      ),
  ]);
  await page.waitForFunction(() => window.seen.map && window.seen.curve, undefined, { timeout: 120_000 });
  const seen = await page.evaluate(() => window.seen);
  const say = (what, from, to) => console.log(`${what.padEnd(56)} ${((to - from) / 1000).toFixed(2).padStart(8)} s`);
  const last = times.layers[times.layers.length - 1];
  say('from Run to the first layer', pressed, times.layers[0]);
  say('from the first layer to the first map', times.layers[0], seen.map);
  say(`from Run to the last of ${times.layers.length} layers`, pressed, last);
  say('from the last layer to the whole curve', last, seen.curve);
  say('from the last layer to the end of the run', last, times.done);
  console.log(`${'most memory of the server'.padEnd(56)} ${memoryOf(server).toFixed(2).padStart(8)} GiB`);
  await browser.close();
} finally {
  if (server?.kill()) await once(server, 'exit');
  rmSync(scratch, { recursive: true, force: true });
}
