import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AllocationRequest, allocation, CLASS } from '@/lib/analysis/allocation';
import type { Span } from '@/lib/analysis/span';
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { ROOMS } from '@/lib/data/story-words';
import {
  type Criterion,
  criteria,
  type EmergenceReport,
  emergence,
  type ReadOut,
  readBatch,
  readOuts,
  resamplingOf,
} from '@/lib/evaluation';
import { createModel, type Model } from '@/lib/models';
import { parseTokenizer } from '@/lib/tokenizer';
import { formatDuration, RESAMPLES } from '@/lib/vocabulary';
import { parseTrainingConfig, type TrainingConfig } from './config';
import type { DemoExample } from './demo-examples';
import { type LambdaReport, lambdasOf } from './lambda';
import { readMetrics, type TrainingMetrics } from './metrics';

/** Where their configurations lie, and what is asked of them. */
const FOLDER = 'experiments/specimens';

/** The specimens of stories: a plain model and its differential twin, by the files that describe their training. */
export const SPECIMENS = ['mamba2', 'diff-mamba2'] as const;

const QUESTIONS = 500;
const SEED = 42;
const LABELS = ['one-hop', 'two-hop'];

const readJson = async (name: string) => JSON.parse(await readFile(join(FOLDER, name), 'utf8'));

export const specimenConfig = async (name: (typeof SPECIMENS)[number]): Promise<TrainingConfig> =>
  parseTrainingConfig(await readJson(`${name}.json`));

/** A stage as it went. */
interface StageReport {
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

function stagesOf(lines: readonly TrainingMetrics[]): StageReport[] {
  const ends = lines.filter(({ stage_end }) => stage_end);
  return ends.map(({ step, stage, stage_end, evaluation }, i) => ({
    name: stage,
    steps: step - (ends[i - 1]?.step ?? 0),
    end: stage_end as StageReport['end'],
    accuracy: Object.fromEntries(
      Object.entries(evaluation?.labels ?? {}).map(([label, { accuracy }]) => [label, accuracy]),
    ),
  }));
}

/** Measures a trained run on held-out questions. Cost: 1000 of them, six times. */
export async function measureSpecimen(run: string, checkpoint: Checkpoint, device: string): Promise<SpecimenReport> {
  const metrics = await readMetrics(run);
  const rows = readOuts(await openSource(await readJson('questions.json')), 'test', LABELS, QUESTIONS);
  const model = createModel(checkpoint);
  try {
    const report = emergence(model, rows, resamplingOf(SEED, RESAMPLES));
    return {
      ...report,
      criteria: criteria(report),
      parameters: checkpoint.parameterCount,
      device,
      seconds: metrics[metrics.length - 1].time.seconds,
      stages: stagesOf(metrics),
      lambda: lambdasOf(model),
    };
  } finally {
    model.dispose();
  }
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
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

/** An entry of the page's examples menu. */
interface Wanted {
  readonly id: string;
  readonly title: string;
  readonly label: (typeof LABELS)[number];
  /** Tokens between the first fact that decides the answer and the answer, at least. */
  readonly distance: number;
}

const WANTED: readonly Wanted[] = [
  { id: 'stories-person', title: 'In a book: where is a person?', label: 'one-hop', distance: 100 },
  { id: 'stories-person-far', title: 'In a book: where is a person? Far away', label: 'one-hop', distance: 160 },
  { id: 'stories-object', title: 'In a book: where is an object?', label: 'two-hop', distance: 100 },
  { id: 'stories-object-far', title: 'In a book: where is an object? Far away', label: 'two-hop', distance: 160 },
];

const FEWEST_COMPETING = 2;
const MUCH_OF_A_BOOK = [0.3, 0.4];
const TRIES = 4000;

/**
 * Prompts for the page: of the test rows that suit an entry and name other rooms, the first that both models answer over several
 * blocks. So they say nothing about how often the models are right, nor how gradually.
 */
export async function specimenExamples(models: readonly Model[]): Promise<DemoExample[]> {
  // A reader has to follow the story: it names everybody.
  const source = await openSource({ ...(await readJson('questions.json')), noise: MUCH_OF_A_BOOK, pronouns: 0 });
  const tokenizer = parseTokenizer(JSON.stringify(source.tokenizer));
  const textOf = (tokens: Int32Array, [start, end]: Span) => tokenizer.decode(tokens.subarray(start, end));
  const taken = new Set<number>();
  return WANTED.map(({ id, title, label, distance }) => {
    for (let index = 0; index < TRIES; index++) {
      if (taken.has(index)) continue;
      const { tokens, answers, classes = {} } = source.row('test', index);
      const { needle = [], competing = [], question = [] } = classes;
      const last = answers[answers.length - 1];
      const back = last.start - Math.min(...needle.map(([start]) => start));
      if (last.label !== label || back < distance || competing.length < FEWEST_COMPETING) continue;
      const read = tokens.subarray(0, last.start);
      const readOut = { tokens: read, target: tokens[last.start], label };
      if (!models.every((model) => emerges(model, readOut))) continue;
      taken.add(index);
      // Of the facts that decide the answer, the one that names it.
      const holds = needle.find(([start, end]) => tokens.subarray(start, end).includes(readOut.target)) ?? needle[0];
      // Spans leave out the space before their first word.
      const spanOf = ([start, end]: Span): [number, number] => [
        textOf(tokens, [0, start]).length + 1,
        textOf(tokens, [0, end]).length,
      ];
      const names = models.map(({ name }) => name) as [string, string];
      return {
        id,
        title,
        description: `Held-out story of ${read.length} tokens in the text of a book; what decides the answer begins ${back} tokens before it. Answered by ${names.join(' and ')}.`,
        prompt: textOf(tokens, [0, last.start]),
        needle: spanOf(holds),
        classes: { competing: competing.map(spanOf), question: question.map(spanOf) },
        target: textOf(tokens, [last.start, last.end]),
        candidates: ROOMS.map((room) => ` ${room}`),
        models: names,
        layer: tellingLayer(models, {
          tokens: [...read],
          target: readOut.target,
          needle: holds,
        }),
      };
    }
    throw new Error(`None of ${TRIES} rows suits the example ${id} and is answered by both models.`);
  });
}

/** The block in which the needle raises the answer's logit most, of both models together. */
function tellingLayer(models: readonly Model[], request: AllocationRequest): number {
  const reads = models.map((model) => allocation(model, request));
  const raised = reads[0].map((_, layer) =>
    reads.reduce((sum, layers) => sum + layers[layer].net.logit[CLASS.needle], 0),
  );
  return raised.indexOf(Math.max(...raised));
}

/** Blocks whose p(answer) is between these parts of the last one's are on the way to it. */
const ON_THE_WAY = [0.2, 0.9];
const SEVERAL = 2;

/** Whether the model answers, and comes to it over several blocks. */
function emerges(model: Model, readOut: ReadOut): boolean {
  const { p, right } = readBatch(model, [readOut], true);
  const parts = p.map(([value]) => value / p[p.length - 1][0]);
  return right[0] && parts.filter((part) => part > ON_THE_WAY[0] && part < ON_THE_WAY[1]).length >= SEVERAL;
}

/** Weights, tokenizer, description and report of a trained run. */
export async function publishSpecimen(
  run: string,
  folder: string,
  config: TrainingConfig,
  device: string,
): Promise<void> {
  const checkpoint = { ...(await loadCheckpoint(run)), name: config.name };
  const report = await measureSpecimen(run, checkpoint, device);
  const reports = join(FOLDER, 'reports');
  await Promise.all([folder, reports].map((path) => mkdir(path, { recursive: true })));
  await saveCheckpoint(folder, checkpoint.config, checkpoint.tensors, { tokenizerPath: join(run, 'tokenizer.json') });
  await writeFile(join(folder, 'README.md'), specimenReadme(config, report));
  await writeFile(join(reports, `${config.name}-seed${config.seed}.json`), `${JSON.stringify(report, null, 2)}\n`);
}
