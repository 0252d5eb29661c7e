// npm test: sets up what is missing, then lint, types, unit tests and the page tests; ends with one line of counts.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from './lib/chromium.mjs';
import { ROOT } from './lib/root.mjs';
import { run, say } from './lib/run.mjs';
import { page, prepare } from './lib/setup.mjs';

const RESULTS = join(ROOT, 'test-results');
const bin = (name) => join(ROOT, 'node_modules', '.bin', name);
const total = { passed: 0, failed: 0, skipped: 0 };

/** A step that counts as one test: it passes when the command exits with 0. */
async function step(title, command, args) {
  say(title);
  total[(await run(command, args)) === 0 ? 'passed' : 'failed'] += 1;
}

function addCounts({ passed, failed, skipped }, code) {
  total.passed += passed;
  total.failed += failed || (code === 0 ? 0 : 1);
  total.skipped += skipped;
}

const readJson = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
};

async function unitTests() {
  say('unit tests');
  const file = join(RESULTS, 'vitest.json');
  const code = await run(bin('vitest'), ['run', '--reporter=dot', '--reporter=json', `--outputFile.json=${file}`]);
  const report = readJson(file);
  addCounts(
    {
      passed: report?.numPassedTests ?? 0,
      failed: report?.numFailedTests ?? 0,
      skipped: report?.numPendingTests ?? 0,
    },
    code,
  );
}

async function pageTests() {
  const browser = await chromium();
  if (!browser) {
    total.skipped += 1;
    return;
  }
  await page();
  say('page tests');
  const file = join(RESULTS, 'playwright.json');
  const code = await run(bin('playwright'), ['test', '--reporter=line,json'], {
    env: { CHROMIUM_PATH: browser, PLAYWRIGHT_JSON_OUTPUT_NAME: file },
  });
  const stats = readJson(file)?.stats;
  addCounts({ passed: stats?.expected ?? 0, failed: stats?.unexpected ?? 0, skipped: stats?.skipped ?? 0 }, code);
}

await prepare();
rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
await step('lint and format', bin('biome'), ['ci', '.', '--reporter=summary']);
await step('types', bin('tsc'), ['--noEmit', '-p', '.']);
await unitTests();
await pageTests();
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
