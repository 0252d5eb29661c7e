import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { SnrDifference, SnrRow } from '@/lib/analysis';
import type { AllocationResult } from '@/lib/analysis/allocation';
import { defaultRoots, loadCheckpoint } from '@/lib/checkpoint';
import { writeAtomically } from '@/lib/checkpoint/files';
import type { CostResults } from '@/lib/evaluation';
import { type Curve, curvesFigure } from '@/lib/figures/curves';
import { MODEL_COLOURS } from '@/lib/figures/svg';
import { fetchModel } from '@/lib/hub';
import { evaluationOf } from '@/lib/jobs';
import { version } from '@/package.json';
import type { Experiment } from './config';
import { type ArmTraining, type CurveAt, SATURATED, type Spread, trainingOfArm } from './curves';
import { type GridResult, gridResults } from './grid';
import { costSentences, type Measure, measuresOf, remarksOf } from './measures';
import { type Arm, resultsFolder } from './plan';
import { onceIn, type Ranged, verdicts, verdictsOver } from './verdict';
import type { Findings } from './work';

interface Figure {
  /** Of its file, without the ending. */
  readonly name: string;
  readonly caption: string;
  readonly svg: string;
}

interface Section {
  readonly title: string;
  /** Lines of Markdown. */
  readonly text: readonly string[];
  /** What follows from them, in sentences. */
  readonly found: readonly string[];
  readonly figures: readonly Figure[];
}

/**
 * Writes report.md, report.json and the figures of an experiment, all from what was measured. @param root holds `models/`
 * @returns the folder
 */
export async function writeReport(findings: Findings, root: string): Promise<string> {
  const { experiment, arms, evaluations, devices } = findings;
  const folder = resultsFolder(experiment);
  const sizes = new Map(await Promise.all(arms.map(async (arm) => [arm.name, await parametersOf(arm, root)] as const)));
  const trained = arms.filter(({ runs }) => runs.length > 0);
  const training = await Promise.all(trained.map((arm) => trainingOfArm(arm, sizes.get(arm.name) as number)));
  const grids = gridResults(arms, training, experiment.axes);
  const drawable = training.filter(({ arm }) => !experiment.arms.get(arm)?.place);
  const sections = [
    ...(training.length > 0 ? [trainingSection(training, drawable, trained)] : []),
    ...(grids.length > 0 ? [gridSection(grids)] : []),
    ...(await Promise.all(evaluations.map((one) => evaluationSection(one, arms)))),
  ];
  const found = sections.flatMap((section) => section.found.map((said) => `${section.title}: ${said}`));
  const text = [
    `# ${experiment.title}`,
    '',
    experiment.question,
    '',
    `Made by \`statescope experiment run ${experiment.name} --scale ${experiment.scale}\` (Statescope ${version}) on ${devices.join(', ')}; nothing in it was written by hand.${training.length > 0 ? ` Seeds: ${experiment.seeds.join(', ')}.` : ''}`,
    '',
    ...(found.length > 0 ? ['## Found', '', ...found.map((said) => `- ${said}`), '', ...cautions(experiment), ''] : []),
    '## Arms',
    '',
    '| arm | parameters | runs |',
    '|---|---|---|',
    ...arms.map(({ name, label, runs, model }) => {
      const made = model
        ? `the model ${basename(model)}`
        : runs.map(({ folder: run }) => relative(folder, run)).join(', ');
      return `| ${label} | ${sizes.get(name)} | ${made} |`;
    }),
    '',
    ...sections.flatMap(({ title, text: lines, figures }) => [
      `## ${title}`,
      '',
      ...lines,
      ...(lines.length > 0 ? [''] : []),
      ...figures.flatMap(({ name, caption }) => [`![${caption}](${name}.svg)`, '', `*${caption}*`, '']),
    ]),
  ];
  for (const { name, svg } of sections.flatMap(({ figures }) => figures))
    await writeWhole(join(folder, `${name}.svg`), svg);
  const json = {
    ...{ version, experiment: experiment.name, scale: experiment.scale, title: experiment.title },
    ...{ seeds: experiment.seeds, devices },
    arms: arms.map(({ name, label }) => ({ name, label, parameters: sizes.get(name) })),
    found,
    training,
    ...(grids.length > 0 && { grids }),
    evaluations: evaluations.map(({ name, config, summary }) => ({
      name,
      kind: config.kind,
      summary: portable(summary, arms, experiment.folder),
    })),
  };
  await writeWhole(join(folder, 'report.json'), `${JSON.stringify(json, null, 1)}\n`);
  await writeWhole(join(folder, 'report.md'), `${text.join('\n').trimEnd()}\n`);
  return folder;
}

async function parametersOf({ runs, model }: Arm, root: string): Promise<number> {
  const { path } = await fetchModel(model ?? runs[0].folder, { roots: defaultRoots(root) });
  return (await loadCheckpoint(path)).parameterCount;
}

/** Summaries name folders, which are elsewhere on another machine: models by their arms instead, others as the experiment does. */
function portable(summary: unknown, arms: readonly Arm[], experiment: string): unknown {
  const names = new Map(arms.map((arm) => [arm.runs.map(({ folder }) => folder).join('+'), arm.label]));
  const folders = new Map(arms.flatMap(({ runs }) => runs.map(({ folder, name }) => [folder, name] as const)));
  return JSON.parse(JSON.stringify(summary), (_key, value) => {
    if (typeof value !== 'string') return value;
    const beside = value.startsWith(`${experiment}/`) ? `.${value.slice(experiment.length)}` : value;
    return names.get(value) ?? folders.get(value) ?? beside;
  });
}

const withRange = ({ mean, low, high, n }: Spread, digits = 3): string =>
  n === 1 ? mean.toFixed(digits) : `${mean.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;

/** How the sentences are to be read. */
function cautions({ seeds }: Experiment): string[] {
  const chance =
    seeds.length > 1
      ? ` Two arms of ${seeds.length} seeds each that learn alike are parted in every seed by chance once in ${onceIn(seeds.length)}.`
      : ' There is one seed: nothing is said of other trainings.';
  return [
    `Sentences are made of the tables. Ranges of training are from the least to the largest seed, those of evaluations are 95 % intervals over examples and seeds.${chance} Intervals that meet leave a difference open; they do not show that there is none.`,
  ];
}

/**
 * Each arm with the one that it is compared with: what it says itself, or the first.
 * @param named all that a table has, in its order
 */
const againstOf = (named: readonly Arm[]): number[] =>
  named.map(({ against }) =>
    Math.max(
      0,
      named.findIndex(({ name }) => name === against),
    ),
  );

/** @param drawable those with curves: hundreds of them, as of a grid, would show nothing */
function trainingSection(
  training: readonly ArmTraining[],
  drawable: readonly ArmTraining[],
  arms: readonly Arm[],
): Section {
  // An arm has its colour in every figure, also where others are left out.
  const curves = (read: (arm: ArmTraining) => readonly CurveAt[]): Curve[] =>
    drawable
      .map((arm, k) => ({
        name: arm.label,
        colour: MODEL_COLOURS[k % MODEL_COLOURS.length],
        dashed: k >= MODEL_COLOURS.length,
        points: read(arm).map(({ step, mean, low, high, n }) => ({
          ...{ x: step, y: mean },
          ...(n > 1 && { low, high }),
        })),
      }))
      .filter(({ points }) => points.length > 0);
  const figure = (name: string, caption: string, label: string, read: (arm: ArmTraining) => readonly CurveAt[]) => {
    const drawn = curves(read);
    if (drawn.length === 0) return [];
    const svg = curvesFigure({
      title: caption,
      rows: [[{ curves: drawn }]],
      x: { label: 'step' },
      y: { label },
      marks: false,
    });
    return [{ name, caption, svg }];
  };
  const band = training.some(({ seeds }) => seeds.length > 1) ? ' Bands: least to largest of the seeds.' : '';
  const answered = training.some(({ accuracy }) => accuracy.length > 0);
  const columns: readonly (readonly [string, (arm: ArmTraining) => Spread | null | undefined, number])[] = [
    ['steps', ({ steps }) => steps, 0],
    ['last training loss', ({ loss }) => loss.at(-1), 3],
    [VALIDATION, ({ validation }) => validation.at(-1), 3],
    ...(answered ? [[ANSWERED, ({ accuracy }: ArmTraining) => accuracy.at(-1), 3] as const] : []),
    ['processor seconds', ({ processor_seconds: seconds }) => seconds, 0],
  ];
  const saturated = training.filter(({ saturation }) => saturation.length > 0);
  // Of data with answers the loss of all tokens says how well noise is foretold.
  const [measure, read] = answered
    ? [ANSWERED, ({ accuracy }: ArmTraining) => accuracy.at(-1)]
    : [VALIDATION, ({ validation }: ArmTraining) => validation.at(-1)];
  const ranged = training.map((arm) => {
    const spread = drawable.includes(arm) ? read(arm) : undefined;
    return spread && spread.n > 1 ? { ...spread, label: arm.label } : undefined;
  });
  return {
    title: 'Training',
    found: verdicts(measure, ranged, againstOf(arms), 'seeds'),
    text: [
      `| arm | ${columns.map(([name]) => name).join(' | ')} |`,
      `|---|${columns.map(() => '---|').join('')}`,
      ...training.map((arm) => {
        const cells = columns.map(([, read, digits]) => {
          const spread = read(arm);
          return spread ? withRange(spread, digits) : '–';
        });
        return `| ${arm.label} | ${cells.join(' | ')} |`;
      }),
      ...(saturated.length > 0
        ? [
            '',
            `How many σ(·) of λ, over all seeds and differential blocks, are below ${SATURATED} or above ${1 - SATURATED}, where they have hardly a gradient:`,
            '',
            '| arm | at the first logged step | at the end |',
            '|---|---|---|',
            ...saturated.map(({ label, saturation }) => {
              const cells = saturation.map((one) => `${one.saturated} of ${one.of} (step ${one.step})`);
              return `| ${label} | ${cells.join(' | ')} |`;
            }),
          ]
        : []),
    ],
    figures: [
      ...figure('training-loss', `Loss of the training rows by step.${band}`, 'nats', ({ loss }) => loss),
      ...(answered
        ? figure(
            'training-accuracy',
            `Share of validation answers that are right, by step.${band}`,
            'share',
            ({ accuracy }) => accuracy,
          )
        : figure('training-validation', `Loss of validation rows by step.${band}`, 'nats', (arm) => arm.validation)),
      ...figure('training-lambda', `λ by step, mean over differential blocks.${band}`, 'λ', ({ lambda }) => lambda),
    ],
  };
}

const VALIDATION = 'validation loss, nats';
const ANSWERED = 'answers right, validation';

function gridSection(grids: readonly GridResult[]): Section {
  const row = (arm: string, point: string, { accuracy, best }: GridResult['points'][number] | GridResult) =>
    `| ${arm} | ${point} | ${accuracy.toFixed(3)} | ${best.join(', ') || '–'} |`;
  return {
    title: 'Grids',
    found: [],
    text: [
      'Share of validation answers that are right at the end of training. The best of an axis is chosen by this same share.',
      '',
      '| arm | point | answers right, validation | best at |',
      '|---|---|---|---|',
      ...grids.flatMap((grid) => [
        ...grid.points.map((one) => row(grid.label, one.point, one)),
        row(grid.label, 'all', grid),
      ]),
    ],
    figures: [],
  };
}

async function evaluationSection(
  { name, config, summary }: Findings['evaluations'][number],
  arms: readonly Arm[],
): Promise<Section> {
  const title = config.title ?? name;
  switch (config.kind) {
    case 'snr':
      return { title, ...signalOf(name, summary as SnrSummary, arms) };
    case 'allocation':
      return { title, ...readsOf(name, summary as AllocationSummary, arms) };
    case 'eval': {
      const { results } = summary as { results: unknown };
      const figures = (await evaluationOf(config)).figures(results);
      const measures = measuresOf(config.evaluation, results);
      const remarks = remarksOf(config.evaluation, results);
      return {
        title,
        found:
          config.evaluation === 'cost'
            ? costSentences(results as CostResults, againstOf(arms))
            : verdictsOver(
                measures
                  .filter(({ part }) => !part)
                  .map(({ name: measure, digits, values }) => ({
                    ...{ name: measure, digits },
                    arms: values.map((value, k) => value && { ...value, label: arms[k].label }),
                  })),
                againstOf(arms),
              ),
        text: [
          ...measuresTable(measures, arms),
          '',
          ...(remarks.length > 0 ? [...remarks, ''] : []),
          `\`statescope eval ${config.evaluation}\`; all numbers are in report.json.`,
        ],
        figures: figures.map(({ name: own, svg }) => ({
          name: `${name}-${own}`,
          caption: `${name}: ${own.replaceAll('-', ' ')}`,
          svg,
        })),
      };
    }
  }
}

/** Arms below each other where there are few measures, beside each other where there are many. */
function measuresTable(measures: readonly Measure[], arms: readonly Arm[]): string[] {
  const cell = ({ values, digits }: Measure, k: number) => inInterval(values[k], digits);
  if (measures.length <= 3)
    return [
      `| arm | ${measures.map(({ name }) => name).join(' | ')} |`,
      `|---|${measures.map(() => '---|').join('')}`,
      ...arms.map(({ label }, k) => `| ${label} | ${measures.map((measure) => cell(measure, k)).join(' | ')} |`),
    ];
  return [
    `| | ${arms.map(({ label }) => label).join(' | ')} |`,
    `|---|${arms.map(() => '---|').join('')}`,
    ...measures.map((measure) => `| ${measure.name} | ${arms.map((_, k) => cell(measure, k)).join(' | ')} |`),
  ];
}

const inInterval = (value: Omit<Ranged, 'label'> | null | undefined, digits = 3): string => {
  if (!value) return '–';
  const { mean, low, high } = value;
  return low === null || high === null
    ? mean.toFixed(digits)
    : `${mean.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
};

interface SnrSummary {
  readonly sources: readonly {
    readonly source: string;
    readonly examples: number;
    readonly models: readonly { readonly rows: readonly SnrRow[] }[];
    /** Second model less first, where there are two. */
    readonly difference?: readonly SnrDifference[];
  }[];
}

/** Of the figure: how probable the answer is, as the paper draws it. */
const HEADLINE = 'target_prob';

function signalOf(name: string, { sources }: SnrSummary, arms: readonly Arm[]): Omit<Section, 'title'> {
  const panels = sources.map(({ source, models }) => ({
    title: basename(source),
    curves: models.map(({ rows }, k) => ({
      name: arms[k].label,
      points: rows
        .filter(({ metric, entry, n }) => metric === HEADLINE && entry !== 'embedding' && n > 0)
        .map(({ mean, low, high }, x) => ({ x: x + 1, y: mean, low, high })),
    })),
  }));
  const caption =
    'Probability of the answer after each block, the last one with the final norm; bands: 95 % intervals.';
  return {
    found: sources.flatMap(({ source, difference = [] }) => {
      const own = difference.filter(({ metric, entry }) => metric === HEADLINE && entry !== 'embedding');
      const end = own.find(({ entry }) => entry === 'final');
      if (!end) return [];
      const blocks = own.filter(({ entry }) => entry !== 'final');
      const said = paired(`probability of the answer at the end, ${basename(source)}`, end, arms);
      return [`${said} ${byBlock('after', blocks, arms)}`];
    }),
    text: [
      '| prompts | arm | n | probability of the answer at the end |',
      '|---|---|---|---|',
      ...sources.flatMap(({ source, examples, models }) =>
        models.map(({ rows }, k) => {
          const end = rows.find(({ metric, entry }) => metric === HEADLINE && entry === 'final') as SnrRow;
          return `| ${basename(source)} | ${arms[k].label} | ${examples} | ${end.mean.toFixed(3)} [${end.low.toFixed(3)}, ${end.high.toFixed(3)}] |`;
        }),
      ),
    ],
    figures: [
      {
        name: `${name}-signal`,
        caption,
        svg: curvesFigure({
          title: caption,
          rows: panels.map((panel) => [panel]),
          x: { label: 'blocks read' },
          y: { label: 'probability', zero: true },
        }),
      },
    ],
  };
}

/** What a paired difference says, second arm less first. */
function paired(measure: string, { mean, low, high }: PairedRange, [a, b]: readonly Arm[]): string {
  const outcome = low > 0 ? 'higher' : high < 0 ? 'lower' : 'no difference that these examples show';
  return `${measure}, ${b.label} less ${a.label}, example by example: ${inInterval({ mean, low, high })}, ${outcome}.`;
}

/** In which blocks such a difference leaves 0 out. @param blocks one each, in their order */
function byBlock(where: 'after' | 'in', blocks: readonly (PairedRange | null)[], [a, b]: readonly Arm[]): string {
  const numbers = (holds: (one: PairedRange) => boolean) =>
    blocks.flatMap((one, k) => (one && holds(one) ? [k + 1] : [])).join(', ') || 'none';
  return `Blocks ${where} which ${b.label} is higher than ${a.label}: ${numbers(({ low }) => low > 0)}; lower: ${numbers(({ high }) => high < 0)} (of ${blocks.length}).`;
}

interface PairedRange {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

interface AllocationSummary {
  readonly sources: readonly ({ readonly source: string } & AllocationResult)[];
}

function readsOf(name: string, { sources }: AllocationSummary, arms: readonly Arm[]): Omit<Section, 'title'> {
  const panels = sources.map(({ source, models }) => ({
    title: basename(source),
    curves: models.map(({ layers }, k) => ({
      name: arms[k].label,
      points: layers.flatMap(({ layer, net: { needle_against_context: share } }) =>
        share ? [{ x: layer + 1, y: share.mean, low: share.low, high: share.high }] : [],
      ),
    })),
  }));
  const caption = 'What each block reads of the needle, of all that it reads of the context; bands: 95 % intervals.';
  return {
    found: sources.flatMap(({ source, paired: pairs = [] }) => {
      // Models of as many blocks are compared block by block, each pair of them.
      if (pairs.length !== 1) return [];
      const blocks = pairs[0].layers.map(({ needle_against_context: share }) => share);
      const last = blocks.at(-1);
      const said = last
        ? `${paired(`needle against context in the last block, ${basename(source)}`, last, arms)} `
        : '';
      return [`${said}${byBlock('in', blocks, arms)}`];
    }),
    text: [
      '| prompts | arm | n | needle against context, last block |',
      '|---|---|---|---|',
      ...sources.flatMap(({ source, examples, models }) =>
        models.map(({ layers }, k) => {
          const share = layers[layers.length - 1].net.needle_against_context;
          const interval = share?.low === undefined ? '' : ` [${share.low.toFixed(3)}, ${share.high?.toFixed(3)}]`;
          return `| ${basename(source)} | ${arms[k].label} | ${examples} | ${share ? `${share.mean.toFixed(3)}${interval}` : '–'} |`;
        }),
      ),
    ],
    figures: [
      {
        name: `${name}-allocation`,
        caption,
        svg: curvesFigure({
          title: caption,
          rows: panels.map((panel) => [panel]),
          x: { label: 'block' },
          y: { label: 'share', zero: true },
        }),
      },
    ],
  };
}

/** A file that appears when it is complete. */
async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, [new TextEncoder().encode(text)]);
}
