// npm run chaos -- --minutes 20 --seed 7 [--only kill-server]: breaks what can break and checks that nothing is lost.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from './chaos/random.mjs';
import { summarise, writeReport } from './chaos/report.mjs';
import { SCENARIOS } from './chaos/scenarios/index.mjs';
import { World } from './chaos/world.mjs';
import { ROOT } from './lib/root.mjs';
import { say } from './lib/run.mjs';
import { database, page, prepare } from './lib/setup.mjs';

const SUMMARY = join(ROOT, 'test-results', 'chaos.json');
/** A scenario that takes longer hangs: every wait inside it ends sooner. */
const LONGEST_MINUTES = 10;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [] },
    once: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
});

function refuse(line) {
  say(line);
  process.exit(1);
}

const minutes = Number(values.minutes);
const firstSeed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(firstSeed)) refuse('--minutes takes a number above 0, --seed a whole number.');
const unknown = values.only.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown) refuse(`There is no scenario ${unknown}: ${SCENARIOS.map(({ name }) => name).join(', ')}.`);
if (values.list) {
  for (const { name, title } of SCENARIOS) console.log(`${name.padEnd(20)} ${title}`);
  process.exit(0);
}
if (values.report) {
  writeReport(JSON.parse(readFileSync(SUMMARY, 'utf8')));
  process.exit(0);
}

/** The worlds of the scenarios that happen now, so that Ctrl-C leaves nothing behind. */
const current = new Set();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    say('stopping');
    await Promise.all([...current].map((world) => world.end()));
    process.exit(130);
  });

async function happen({ name, run, missing }, seed) {
  const reason = missing?.();
  if (reason) return { name, seed, skipped: reason };
  const world = new World(name, seed, values.quick);
  const start = Date.now();
  current.add(world);
  try {
    await inTime(run(world));
    world.check('the scenario ran to its end', true);
  } catch (error) {
    world.check('the scenario ran to its end', false, `${error.stack}\n${world.lastLog().slice(-2000)}`);
  }
  await world.end();
  current.delete(world);
  const { checks, counts, figures } = world;
  return { name, seed, seconds: (Date.now() - start) / 1000, checks, counts, figures };
}

async function inTime(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it took more than ${LONGEST_MINUTES} minutes`)),
      LONGEST_MINUTES * 60_000,
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tell({ name, seed, skipped, seconds, checks }) {
  const label = name.padEnd(18);
  if (skipped) return say(`${label} left out for want of ${skipped}`);
  const failed = checks.filter(({ holds }) => !holds);
  say(`${label} seed ${seed}: ${checks.length - failed.length} of ${checks.length} hold, ${seconds.toFixed(0)} s`);
  for (const { sentence, detail } of failed) say(`  FAILED: ${sentence}\n    ${detail}`);
  if (failed.length > 0) say(`  again: npm run chaos -- --only ${name} --seed ${seed} --once`);
}

await prepare(page, database);
const chosen = SCENARIOS.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
/** One each of what was chosen, with the seeds in its order. The first of a pair need not wait for the other: a server starts on one core. */
async function quickly() {
  const queue = chosen.entries();
  const happened = [];
  const one = async () => {
    for (const [place, scenario] of queue) {
      happened[place] = await happen(scenario, firstSeed + place);
      tell(happened[place]);
    }
  };
  await Promise.all([one(), one()]);
  return happened;
}

/** One at a time: every scenario comes once before any comes again. The n-th has the seed first + n, so that it alone can be repeated. */
async function atLength() {
  const end = Date.now() + minutes * 60_000;
  const order = new Random(firstSeed);
  const happened = [];
  do {
    for (const scenario of values.once ? chosen : order.shuffled(chosen)) {
      const result = await happen(scenario, firstSeed + happened.length);
      happened.push(result);
      tell(result);
      if (Date.now() > end) break;
    }
  } while (!values.once && Date.now() < end);
  return happened;
}

const happened = await (values.quick ? quickly() : atLength());
const summary = summarise(happened, { minutes, seed: firstSeed, quick: values.quick });
mkdirSync(join(ROOT, 'test-results'), { recursive: true });
writeFileSync(SUMMARY, `${JSON.stringify(summary, null, 2)}\n`);
const { passed, failed, skipped } = summary.totals;
say(`chaos: ${passed} passed, ${failed} failed, ${skipped} left out; test-results/chaos.json has the figures`);
process.exit(failed === 0 ? 0 : 1);
