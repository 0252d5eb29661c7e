// npm run soak -- --minutes 10 --seed 7: random interaction with the page; console errors and growing memory fail it.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from './lib/chromium.mjs';
import { ROOT } from './lib/root.mjs';
import { run, say } from './lib/run.mjs';
import { page, prepare } from './lib/setup.mjs';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  say('--minutes takes a number above 0, --seed a whole number.');
  process.exit(1);
}
await prepare(page);
const browser = await chromium();
if (!browser) process.exit(1);
const playwright = join(ROOT, 'node_modules', '.bin', 'playwright');
const env = { CHROMIUM_PATH: browser, SOAK_MINUTES: String(minutes), SOAK_SEED: String(seed) };
process.exit(await run(playwright, ['test', 'e2e/soak.spec.ts', '--reporter=line'], { env }));
