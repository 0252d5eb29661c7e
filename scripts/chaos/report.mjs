import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../lib/root.mjs';

const DOCUMENT = join(ROOT, 'docs', 'reliability.md');
const MARKS = ['<!-- figures of the last long run: npm run chaos -- --report -->', '<!-- end of the figures -->'];

const git = (...args) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' }).stdout.trim();

function machine() {
  const all = cpus();
  return {
    processor: all[0]?.model.trim(),
    cores: all.length,
    gigabytes: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
  };
}

/** All that happened, as one value that JSON can hold. */
export function summarise(scenarios, options) {
  const checks = scenarios.flatMap((scenario) => scenario.checks ?? []);
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: git('rev-parse', '--short', 'HEAD'),
    machine: machine(),
    ...options,
    seconds: scenarios.reduce((sum, { seconds = 0 }) => sum + seconds, 0),
    totals: {
      passed: checks.filter(({ holds }) => holds).length,
      failed: checks.filter(({ holds }) => !holds).length,
      skipped: scenarios.filter(({ skipped }) => skipped).length,
    },
    scenarios,
  };
}

function add(totals, [what, n]) {
  totals.set(what, (totals.get(what) ?? 0) + n);
  return totals;
}

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** The tables of docs/reliability.md. */
export function figures({
  date,
  commit,
  machine: { processor, cores, gigabytes, node },
  seed,
  seconds,
  totals,
  scenarios,
}) {
  const names = [...new Set(scenarios.map(({ name }) => name))];
  const rows = names.map((name) => {
    const all = scenarios.filter((scenario) => scenario.name === name);
    const checks = all.flatMap((scenario) => scenario.checks ?? []);
    const held = checks.filter(({ holds }) => holds).length;
    const [{ skipped }] = all;
    return [
      `\`${name}\``,
      skipped ? 0 : all.length,
      skipped ? `left out for want of ${skipped}` : `${held} of ${checks.length}`,
    ];
  });
  const counts = scenarios.flatMap((scenario) => Object.entries(scenario.counts ?? {})).reduce(add, new Map());
  const largest = new Map();
  for (const { what, value, unit } of scenarios.flatMap((scenario) => scenario.figures ?? []))
    largest.set(what, { value: Math.max(value, largest.get(what)?.value ?? -Infinity), unit });
  return [
    `${date}, commit ${commit}, ${processor}, ${cores} processors, ${gigabytes} GB, Node ${node}; seed ${seed}, ${plain.format(seconds / 60)} minutes: ` +
      `${totals.passed} checks hold, ${totals.failed} do not, ${totals.skipped} scenarios left out.`,
    table(['scenario', 'times', 'checks that hold'], rows),
    table(
      ['survived or refused', 'how many'],
      [...counts].sort().map(([what, n]) => [what, plain.format(n)]),
    ),
    table(
      ['measured (the largest of all)', ''],
      [...largest].map(([what, { value, unit }]) => [what, `${plain.format(value)} ${unit}`]),
    ),
  ].join('\n\n');
}

/** Puts the figures of a run between the marks of docs/reliability.md. */
export function writeReport(summary) {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [start, end] = MARKS.map((mark) => text.indexOf(mark));
  if (start < 0 || end < start) throw new Error(`${DOCUMENT} has no marks for the figures.`);
  const before = text.slice(0, start + MARKS[0].length);
  writeFileSync(DOCUMENT, `${before}\n\n${figures(summary)}\n\n${text.slice(end)}`);
}
