// npm test: sets up what is missing, then lint, types, unit tests, the package of npm and a short chaos run side by side, and the page tests;
// says what was skipped and why, and ends with one line of counts. With CI set, a page test that did not run is a failure.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { chromium } from './lib/chromium.mjs';
import { PYTHON, python } from './lib/python.mjs';
import { ROOT } from './lib/root.mjs';
import { run, runHeld, say } from './lib/run.mjs';
import { PLAIN_DOOR } from './lib/serve.mjs';
import { database, page, prepare } from './lib/setup.mjs';
import { pageTestsOf, skippedLines, skippedUnitTests } from './lib/skipped.mjs';

const RESULTS = join(ROOT, 'test-results');
const bin = (name) => join(ROOT, 'node_modules', '.bin', name);
const total = { passed: 0, failed: 0, skipped: 0 };
const skipped = [];
const minutes = [];

/** Notes how long a part takes, which CI has a limit for. */
async function part(name, work) {
  const start = performance.now();
  await work();
  minutes.push(`${name} ${((performance.now() - start) / 60_000).toFixed(1)}`);
}

/** A step that counts as one test: it passes when the command exits with 0. */
async function step(title, command, args) {
  say(title);
  total[(await runHeld(command, args)) === 0 ? 'passed' : 'failed'] += 1;
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

/** Types are checked once the page is built: the build writes those of its routes. */
async function buildAndTypes() {
  try {
    await page({ held: true });
  } catch (error) {
    say(error.message);
    total.failed += 1;
  }
  await step('types', bin('tsc'), ['--noEmit', '-p', '.']);
}

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
  skipped.push(...skippedUnitTests(report));
}

/** Pictures are compared only under the renderer that drew them, which no machine can promise to have. */
const isPicture = ({ suite }) => suite.startsWith('e2e/visual.spec.ts');

async function pageTests(browser) {
  say('page tests');
  const file = join(RESULTS, 'playwright.json');
  const code = await run(bin('playwright'), ['test', '--reporter=line,json', ...(browser ? [] : ['--list'])], {
    stdio: browser ? 'inherit' : ['inherit', 'ignore', 'inherit'],
    env: {
      ...(browser && { CHROMIUM_PATH: browser }),
      E2E_WORKERS: String(Math.min(2, availableParallelism())),
      PLAYWRIGHT_JSON_OUTPUT_NAME: file,
    },
  });
  const report = readJson(file);
  const tests = pageTestsOf(report);
  const left = browser ? tests.filter(({ status }) => status === 'skipped') : tests;
  const { expected = 0, unexpected = 0, flaky = 0 } = (browser && report?.stats) || {};
  addCounts({ passed: expected + flaky, failed: unexpected, skipped: left.length }, code);
  for (const { suite, title, status } of tests)
    if (status === 'flaky') say(`passed at the second try only: ${suite} › ${title}`);
  const none = 'needs Chromium (install it, or set CHROMIUM_PATH)';
  skipped.push(...left.map((test) => ({ ...test, reason: browser ? (test.reason ?? 'no reason given') : none })));
  const missed = left.filter((test) => !isPicture(test) || !browser).length;
  if (process.env.CI && missed > 0) {
    say(`${missed} page tests did not run, which CI does not let pass`);
    total.failed += 1;
  }
}

/** The Python package, against a server of its own. */
async function pythonTests(interpreter) {
  say('tests of the Python package');
  if (!interpreter) {
    total.skipped += 1;
    skipped.push({ suite: 'python', title: 'all tests', reason: PYTHON });
    return;
  }
  const file = join(RESULTS, 'python.json');
  const code = await runHeld(interpreter, [join(ROOT, 'python', 'tests', '__main__.py'), file], { env: PLAIN_DOOR });
  const report = readJson(file);
  addCounts({ passed: report?.passed ?? 0, failed: report?.failed ?? 0, skipped: report?.skipped.length ?? 0 }, code);
  skipped.push(...(report?.skipped ?? []).map((each) => ({ suite: 'python', ...each })));
}

/** The short form of every scenario of `npm run chaos`; each of its checks counts as a test. */
async function chaosTests() {
  say('chaos: broken servers, stores, disks, models, texts and requests');
  const code = await runHeld(process.execPath, [join(ROOT, 'scripts', 'chaos.mjs'), '--quick']);
  const summary = readJson(join(RESULTS, 'chaos.json'));
  addCounts(summary?.totals ?? { passed: 0, failed: 0, skipped: 0 }, code);
  for (const { name, skipped: needs } of summary?.scenarios ?? [])
    if (needs) skipped.push({ suite: 'chaos', title: name, reason: `needs ${needs}` });
}

await prepare(database);
rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
// Before the unit tests, which borrow its WebGPU adapter.
const browser = await chromium();

/** What needs the page built. It waits for processes half of its time, and leaves that half to the unit tests. */
async function onceBuilt() {
  await part('build and types', buildAndTypes);
  await part('package and Python', () =>
    Promise.all([
      step('the package of npm', process.execPath, [join(ROOT, 'scripts', 'package-test.mjs'), '--linked']),
      python().then(pythonTests),
    ]),
  );
  await part('chaos', chaosTests);
}

await part('all but page tests', () =>
  Promise.all([
    part('unit tests', unitTests),
    onceBuilt(),
    step('lint and format', bin('biome'), ['ci', '.', '--reporter=summary']),
  ]),
);
// With the machine to themselves: people wait for a page, and its tests do not wait long.
await part('page tests', () => pageTests(browser));
for (const line of skippedLines(skipped)) console.log(line);
console.log(`minutes: ${minutes.join(', ')}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
