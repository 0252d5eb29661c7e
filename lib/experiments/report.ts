import { mkdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { SnrRow } from '@/lib/analysis';
import type { ModelAllocation } from '@/lib/analysis/allocation';
import { defaultRoots, loadCheckpoint } from '@/lib/checkpoint';
import { writeAtomically } from '@/lib/checkpoint/files';
import { type Curve, curvesFigure } from '@/lib/figures/curves';
import { fetchModel } from '@/lib/hub';
import { evaluationOf } from '@/lib/jobs';
import { version } from '@/package.json';
import { type ArmTraining, type CurveAt, type Spread, trainingOfArm } from './curves';
import { type GridResult, gridResults } from './grid';
import { type Arm, resultsFolder } from './plan';
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
    ...(training.length > 0 ? [trainingSection(training, drawable)] : []),
    ...(grids.length > 0 ? [gridSection(grids)] : []),
    ...(await Promise.all(evaluations.map((one) => evaluationSection(one, arms)))),
  ];
  const text = [
    `# ${experiment.title}`,
    '',
    experiment.question,
    '',
    `Made by \`statescope experiment run ${experiment.name} --scale ${experiment.scale}\` (Statescope ${version}) on ${devices.join(', ')}; nothing in it was written by hand. Seeds: ${experiment.seeds.join(', ')}.`,
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

/** @param drawable those with curves: hundreds of them, as of a grid, would show nothing */
function trainingSection(training: readonly ArmTraining[], drawable: readonly ArmTraining[]): Section {
  const curves = (read: (arm: ArmTraining) => readonly CurveAt[]): Curve[] =>
    drawable
      .filter((arm) => read(arm).length > 0)
      .map((arm) => ({
        name: arm.label,
        points: read(arm).map(({ step, mean, low, high, n }) => ({
          ...{ x: step, y: mean },
          ...(n > 1 && { low, high }),
        })),
      }));
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
  return {
    title: 'Training',
    text: [
      '| arm | steps | last training loss | answers right, validation | tokens/s | seconds |',
      '|---|---|---|---|---|---|',
      ...training.map(({ label, steps, loss, accuracy, tokens_per_second, seconds }) => {
        const right = accuracy.at(-1);
        return `| ${label} | ${withRange(steps, 0)} | ${withRange(loss[loss.length - 1])} | ${right ? withRange(right) : '–'} | ${withRange(tokens_per_second, 0)} | ${withRange(seconds, 0)} |`;
      }),
    ],
    figures: [
      ...figure('training-loss', `Loss of the training rows by step.${band}`, 'nats', ({ loss }) => loss),
      ...figure(
        'training-accuracy',
        `Share of validation answers that are right, by step.${band}`,
        'share',
        ({ accuracy }) => accuracy,
      ),
      ...figure('training-lambda', `λ by step, mean over differential blocks.${band}`, 'λ', ({ lambda }) => lambda),
    ],
  };
}

function gridSection(grids: readonly GridResult[]): Section {
  const row = (arm: string, point: string, { accuracy, best }: GridResult['points'][number] | GridResult) =>
    `| ${arm} | ${point} | ${accuracy.toFixed(3)} | ${best.join(', ') || '–'} |`;
  return {
    title: 'Grids',
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
      return {
        title,
        text: [`\`statescope eval ${config.evaluation}\`; all numbers are in report.json.`],
        figures: figures.map(({ name: own, svg }) => ({
          name: `${name}-${own}`,
          caption: `${name}: ${own.replaceAll('-', ' ')}`,
          svg,
        })),
      };
    }
  }
}

interface SnrSummary {
  readonly sources: readonly {
    readonly source: string;
    readonly examples: number;
    readonly models: readonly { readonly rows: readonly SnrRow[] }[];
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

interface AllocationSummary {
  readonly sources: readonly {
    readonly source: string;
    readonly examples: number;
    readonly models: readonly ModelAllocation[];
  }[];
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
