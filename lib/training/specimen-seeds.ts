import { percent, type SpecimenReport, table } from './specimen-report';

/** The reports of one arm by seed. */
export interface SeedsOfArm {
  /** Of the bundled model. */
  readonly name: string;
  /** What the arm is, in words. */
  readonly label: string;
  readonly seeds: readonly { readonly seed: number; readonly report: SpecimenReport }[];
}

const curve = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(' ');

const stepsOf = ({ stages }: SpecimenReport) => stages.reduce((sum, { steps }) => sum + steps, 0);

function armTable({ name, label, seeds }: SeedsOfArm): string {
  const labels = seeds[0].report.labels.map((each) => each.label);
  const head = ['seed', 'steps', ...labels, ...labels.map((each) => `p(answer) by block, ${each}`), 'met'];
  const rows = seeds.map(({ seed, report }) => [
    seed,
    stepsOf(report),
    ...report.labels.map(({ accuracy }) => percent(accuracy.mean)),
    ...report.labels.map(({ p }) => curve(p)),
    `${report.criteria.filter(({ met }) => met).length} of ${report.criteria.length}`,
  ]);
  return `## ${label}: \`${name}\`\n\n${table(head, rows)}`;
}

/** Right answers by how far back the first deciding fact stands: whether a model looks up what it is asked, or says what was told last. */
function distanceTable(arms: readonly SeedsOfArm[]): string {
  const labels = arms[0].seeds[0].report.labels;
  const columns = labels.flatMap(({ label, distances }) =>
    distances.map(({ from, to }) => ({ label, from, head: `${label}, ${from} to ${to - 1}` })),
  );
  const rows = arms.flatMap(({ label: arm, seeds }) =>
    seeds.map(({ seed, report }) => [
      arm,
      seed,
      ...columns.map(({ label, from }) => {
        const own = report.labels.find((each) => each.label === label);
        const at = own?.distances.find((each) => each.from === from);
        return at ? percent(at.accuracy) : '–';
      }),
    ]),
  );
  return table(['arm', 'seed', ...columns.map(({ head }) => head)], rows);
}

const missed = ({ label, seeds }: SeedsOfArm) =>
  seeds.flatMap(({ seed, report }) =>
    report.criteria.filter(({ met }) => !met).map(({ asks, measured }) => [label, seed, asks, measured]),
  );

/** Where every seed of one arm is above every seed of the other, that one; undefined where they overlap. */
const apart = (a: readonly number[], b: readonly number[]): 0 | 1 | undefined => {
  if (Math.min(...a) > Math.max(...b)) return 0;
  return Math.min(...b) > Math.max(...a) ? 1 : undefined;
};

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const spread = (values: readonly number[], say: (value: number) => string) =>
  `${say(mean(values))} (${say(Math.min(...values))} to ${say(Math.max(...values))})`;

function comparison(arms: readonly [SeedsOfArm, SeedsOfArm]): string {
  const measured: [what: string, say: (value: number) => string, of: (report: SpecimenReport) => number][] = [
    ...arms[0].seeds[0].report.labels.map(({ label }, k): (typeof measured)[number] => [
      `${label}, right`,
      percent,
      ({ labels }) => labels[k].accuracy.mean,
    ]),
    ['p(answer) in the end', (value) => value.toFixed(3), ({ p }) => p[p.length - 1]],
  ];
  const rows = measured.map(([what, say, of]) => {
    const values = arms.map(({ seeds }) => seeds.map(({ report }) => of(report)));
    const above = apart(values[0], values[1]);
    return [
      what,
      ...values.map((each) => spread(each, say)),
      above === undefined ? 'the seeds overlap' : `every seed of ${arms[above].label} is above every one of the other`,
    ];
  });
  return table(['', ...arms.map(({ label }) => `${label}: mean (least to most)`), ''], rows);
}

/** What the seeds of both arms came to, in Markdown: all of it from their reports. */
export function seedsReadme(arms: readonly [SeedsOfArm, SeedsOfArm]): string {
  const [{ report }] = arms[0].seeds;
  const count = arms[0].seeds.length;
  return `${[
    `# Specimens by seed

${count} seeds of each arm, from the same configuration, each measured on the same ${report.rows.toLocaleString('en')} held-out questions. Weights of seed ${arms[0].seeds[0].seed} are bundled, which was settled before any was trained. Percentages are of questions answered
right; p(answer) is the mean through the logit lens after each block. Made from the reports beside it, by \`npm run train:demo\`.`,
    ...arms.map(armTable),
    `## By how many tokens back the first deciding fact begins\n\n${distanceTable(arms)}`,
    `## Between the arms\n\n${comparison(arms)}\n\nSeeds are too few for an interval of their difference; the README of each bundled model has the intervals over questions.`,
    `## What is asked of a specimen and not met\n\n${table(['arm', 'seed', 'asks', 'measured'], arms.flatMap(missed))}`,
  ].join('\n\n')}\n`;
}
