import type { Criterion, EmergenceReport } from '@/lib/evaluation';
import { formatDuration } from '@/lib/vocabulary';
import type { TrainingConfig } from './config';
import type { LambdaReport } from './lambda';
import type { TrainingMetrics } from './metrics';

/** Where the configurations of specimens lie, and what is asked of them. */
export const FOLDER = 'experiments/specimens';

/** A stage as it went. */
export interface StageReport {
  readonly name: string;
  readonly steps: number;
  readonly end: NonNullable<TrainingMetrics['stage_end']>;
  /** Of the last evaluation, by label. */
  readonly accuracy: Readonly<Record<string, number>>;
}

export interface SpecimenReport extends EmergenceReport {
  readonly criteria: readonly Criterion[];
  readonly parameters: number;
  readonly device: string;
  readonly seconds: number;
  readonly stages: readonly StageReport[];
  readonly lambda: readonly LambdaReport[];
}

export const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
export const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** The README of a specimen: all of it measured. */
export function specimenReadme(config: TrainingConfig, report: SpecimenReport): string {
  const { labels, p, lags, stages, lambda, tokens } = report;
  const { name, model = {}, seed, optimizer } = config;
  const steps = stages.reduce((sum, stage) => sum + stage.steps, 0);
  const blocks = p.map((_, block) => String(block));
  const curve = (values: readonly number[]) => values.map((value) => value.toFixed(2));
  const accuracies = ({ accuracy }: StageReport) =>
    Object.entries(accuracy)
      .map(([label, value]) => `${label} ${value.toFixed(2)}`)
      .join(', ');
  const parts = [
    `# ${name}

${lambda.length > 0 ? 'A Diff-Mamba-2' : 'A Mamba-2'} that reads stories in the manner of bAbI hidden in the text of a book, and says where a person (one hop) or an object (two hops) is. It was
trained with Statescope itself: ${FOLDER} has its data, its configuration and what was learnt on the way; \`npm run train:demo\` trains it again from
the same seed. Its twin has the same depth, width and state size, and saw rows of the same sources in the same order of stages, each of which ends when it is solved.

${table(
  ['', ''],
  [
    [
      'Model',
      `${model.num_hidden_layers} blocks \`${model.layers}\`, d ${model.hidden_size}, expand ${model.expand}, N ${model.state_size}, P ${model.head_dim}, tied head, ${report.parameters.toLocaleString('en')} parameters (float32)`,
    ],
    ['Training', `${steps} steps, seed ${seed}, ${formatDuration(report.seconds)} on one thread (${report.device})`],
    [
      'Optimizer',
      `AdamW, betas ${optimizer.betas.join(' and ')}, weight decay ${optimizer.weight_decay}, gradient norm clipped to ${optimizer.clip_norm}; rates by stage`,
    ],
  ],
)}

## What it can do

${report.rows.toLocaleString('en')} held-out questions with the longest cue, ${tokens.toFixed(0)} tokens to read on average. Right is the word of highest probability in the whole vocabulary.`,
    table(
      ['questions', 'right', '95 %', 'naming any room of the text', 'naming the last'],
      labels.map(({ label, accuracy, naming }) => [
        label,
        percent(accuracy.mean),
        `${percent(accuracy.low ?? Number.NaN)} to ${percent(accuracy.high ?? Number.NaN)}`,
        percent(naming.any),
        percent(naming.last),
      ]),
    ),
    'By how many tokens lie between the first fact that decides the answer and the answer:',
    table(
      ['questions', 'tokens', 'right', 'n'],
      labels.flatMap(({ label, distances }) =>
        distances.map(({ from, to, n, accuracy }) => [label, `${from} to ${to - 1}`, percent(accuracy), n]),
      ),
    ),
    '## Where the answer comes about\n\nMean p(answer) after each block, through the logit lens:',
    table(
      ['block', ...blocks],
      [...labels.map(({ label, p: values }) => [label, ...curve(values)]), ['both', ...curve(p)]],
    ),
    'Without one lag of the convolution of block 0:',
    table(
      ['lag', 'p(answer)', 'less'],
      lags.map(({ lag, p: without, loss }) => [lag, without.toFixed(3), loss.toFixed(3)]),
    ),
    'What is asked of a specimen:',
    table(
      ['asks', 'measured', 'met'],
      report.criteria.map(({ asks, measured, met }) => [asks, measured, met ? 'yes' : 'no']),
    ),
    '## How it learnt\n\nAccuracies on validation rows of the stage when it ended.',
    table(
      ['stage', 'steps', 'ended by', 'accuracy'],
      stages.map((stage) => [stage.name, stage.steps, stage.end, accuracies(stage)]),
    ),
  ];
  if (lambda.length > 0)
    parts.push(
      '## λ per block',
      table(
        ['block', 'λ', 'σ'],
        lambda.map(({ block, lambda: value, sigma }) => [block, value.toFixed(4), sigma?.toFixed(4) ?? '']),
      ),
    );
  return `${parts.join('\n\n')}\n`;
}
