// npm run bench:forecast -- [--shapes mamba-130m,…] [--tokens 64,512] [--wall]: what a fresh server says a run will take against
// what it took. Prints one line a run: `first` is the first run of a fresh server, `later` one of other length after it. The aim is
// a ratio of ½ to 2 for the first and of 1.3 either way later. Times are the processor time of the computing thread, on one
// processor, which other programs on the machine do not stretch; with --wall they are those of a clock, on all processors.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOT } from '../lib/root.mjs';
import { freePort, startServer } from '../lib/serve.mjs';

const CLOCK = pathToFileURL(join(ROOT, 'scripts', 'bench', 'processor-clock.mjs')).href;
const SHAPES = ['mamba-130m', 'mamba2-130m', 'diff-mamba2-130m', 'mamba-370m', 'mamba2-370m', 'diff-mamba2-370m'];
const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: SHAPES.join() },
    tokens: { type: 'string', default: '64,512' },
    wall: { type: 'boolean' },
  },
});
const lengths = values.tokens.split(',').map(Number);

const scratch = mkdtempSync(join(tmpdir(), 'statescope-forecast-'));
const row = (cells) => console.log(cells.map((cell, k) => String(cell)[k < 2 ? 'padEnd' : 'padStart'](18)).join(''));

/** How far below the other threads of a server those stand that compute. */
const NICENESS = 10;

/** Seconds of processor time of the computing threads of a process so far, by Linux. */
function processorTime({ pid }) {
  const tasks = `/proc/${pid}/task`;
  let seconds = 0;
  for (const task of readdirSync(tasks)) {
    const fields = readFileSync(`${tasks}/${task}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    if (Number(fields[16]) === NICENESS)
      seconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ', 1)[0]) / 1e9;
  }
  return seconds;
}

// Threads that share the work would each do a part that no one clock of them shows.
if (!values.wall) spawnSync('taskset', ['-cp', '0', String(process.pid)]);

const clock = values.wall ? () => performance.now() / 1000 : processorTime;

async function measure(server, port, model, L) {
  const post = async (path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  // " the" is one token of GPT-NeoX's, which reads models of 50,280 rows.
  const request = { models: [model], prompt: 'the'.concat(' the'.repeat(L - 1)), target: ' the' };
  const { seconds } = await post('estimate', request);
  const before = clock(server);
  const { id } = await post('runs', request);
  for (;;) {
    const run = await (await fetch(`http://127.0.0.1:${port}/api/runs/${id}`)).json();
    if (run.state === 'done') return { forecast: seconds, took: clock(server) - before };
    if (run.state === 'error' || run.state === 'cancelled')
      throw new Error(`The run ended as ${run.state}: ${run.error}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

try {
  console.log(
    `load ${loadavg()[0].toFixed(1)}; seconds ${values.wall ? 'by the clock' : 'of processor time of the computing thread'}`,
  );
  row(['model', 'run', 'tokens', 'forecast', 'took', 'forecast ÷ took']);
  for (const shape of values.shapes.split(',')) {
    const folder = join(scratch, shape);
    spawnSync(process.execPath, [join(ROOT, 'scripts', 'bench', 'random-model.mjs'), shape, folder], {
      stdio: 'inherit',
    });
    for (const first of lengths) {
      const port = await freePort();
      const server = await startServer(port, {
        STATESCOPE_MODELS: scratch,
        STATESCOPE_DATA: join(scratch, `data-${shape}-${first}`),
        ...(!values.wall && { NODE_OPTIONS: `--import=${CLOCK}` }),
      });
      for (const [k, L] of [first, ...lengths.filter((other) => other !== first)].entries()) {
        const { forecast, took } = await measure(server, port, shape, L);
        row([
          shape,
          k === 0 ? 'first' : 'later',
          L,
          forecast.toFixed(2),
          took.toFixed(2),
          (forecast / took).toFixed(2),
        ]);
      }
      server.kill();
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
