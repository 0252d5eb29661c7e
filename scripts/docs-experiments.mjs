// npm run docs:experiments: writes what the committed reports of experiments found into their marked places in docs/experiments.md,
// <!--=name-->…<!--/-->: of each what its first table says.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { numbersIn, withNumbers } from './lib/doc-numbers.mjs';
import { ROOT } from './lib/root.mjs';

const TEXT = join(ROOT, 'docs', 'experiments.md');
const FOLDER = join(ROOT, 'experiments');

/** Sentences of the section that comes first, one for each arm that others are compared with. */
const firstOf = ([first, ...others]) => {
  const section = first.slice(0, first.indexOf(':') + 1);
  return [first, ...others.filter((one) => one.startsWith(section)).map((one) => one.slice(section.length + 1))].join(
    ' ',
  );
};

/** By experiment, of those that have a report at the scale `here`. */
function sentences() {
  const reports = readdirSync(FOLDER)
    .map((name) => [name, join(FOLDER, name, 'here', 'report.json')])
    .filter(([, path]) => existsSync(path));
  return Object.fromEntries(
    reports.map(([name, path]) => [name, firstOf(JSON.parse(readFileSync(path, 'utf8')).found)]),
  );
}

/** What docs/experiments.md has that the reports do not say, or not as it stands. */
export function problems() {
  const found = sentences();
  const text = readFileSync(TEXT, 'utf8');
  const stated = numbersIn(text);
  const missing = Object.keys(found).filter(
    (name) => !stated.some((one) => one.name === name) || !text.includes(`../experiments/${name}/here/report.md`),
  );
  return [
    ...missing.map((name) => `${name} has a report that docs/experiments.md does not tell of`),
    ...stated
      .filter(({ name, value }) => value !== found[name])
      .map(({ name, value }) => `${name}: docs/experiments.md says "${value}", its report "${found[name]}"`),
  ];
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  await writeFile(TEXT, withNumbers(readFileSync(TEXT, 'utf8'), sentences()));
