// npm run baselines: draws the pictures that e2e/visual.spec.ts compares with anew. Look at them before committing.
import { join } from 'node:path';
import { chromium } from './lib/chromium.mjs';
import { ROOT } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { page, prepare } from './lib/setup.mjs';

await prepare(page);
const browser = await chromium();
if (!browser) process.exit(1);
const playwright = join(ROOT, 'node_modules', '.bin', 'playwright');
const args = ['test', 'e2e/visual.spec.ts', '--update-snapshots=all', '--reporter=line'];
process.exit(await run(playwright, args, { env: { CHROMIUM_PATH: browser } }));
