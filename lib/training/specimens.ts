import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AllocationRequest, allocation, CLASS } from '@/lib/analysis/allocation';
import type { Span } from '@/lib/analysis/span';
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from '@/lib/checkpoint';
import { openSource } from '@/lib/data/sources';
import { ROOMS } from '@/lib/data/story-words';
import { criteria, emergence, type ReadOut, readBatch, readOuts, resamplingOf } from '@/lib/evaluation';
import { createModel, type Model } from '@/lib/models';
import { parseTokenizer } from '@/lib/tokenizer';
import { RESAMPLES } from '@/lib/vocabulary';
import { parseTrainingConfig, type TrainingConfig } from './config';
import type { DemoExample } from './demo-examples';
import { lambdasOf } from './lambda';
import { readMetrics, type TrainingMetrics } from './metrics';
import { FOLDER, type SpecimenReport, type StageReport, specimenReadme } from './specimen-report';
import { type SeedsOfArm, seedsReadme } from './specimen-seeds';

/** The specimens of stories: a plain model and its differential twin, by the files that describe their training. */
export const SPECIMENS = ['mamba2', 'diff-mamba2'] as const;

const QUESTIONS = 500;
const SEED = 42;
const LABELS = ['one-hop', 'two-hop'];

const readJson = async (name: string) => JSON.parse(await readFile(join(FOLDER, name), 'utf8'));

type SpecimenName = (typeof SPECIMENS)[number];

const LABEL: Readonly<Record<SpecimenName, string>> = { mamba2: 'Mamba-2', 'diff-mamba2': 'Diff-Mamba-2' };

/** Seeds that each is trained from; the weights of the first are bundled, which was settled before any was trained. */
export const SEEDS = [1, 2, 3] as const;

/** How a specimen is trained; from another seed than the bundled one under a name of its own. */
export async function specimenConfig(name: SpecimenName, seed: number = SEEDS[0]): Promise<TrainingConfig> {
  const config = parseTrainingConfig(await readJson(`${name}.json`));
  return seed === SEEDS[0] ? config : { ...config, seed, name: `${config.name}-seed${seed}` };
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

const REPORTS = join(FOLDER, 'reports');

const reportPath = async (name: SpecimenName, seed: number) =>
  join(REPORTS, `${(await specimenConfig(name)).name}-seed${seed}.json`);

/** The report of a trained run; of the bundled seed weights, tokenizer and description too, in a folder of `models`. */
export async function publishSpecimen(
  name: SpecimenName,
  seed: number,
  { run, models, device }: { readonly run: string; readonly models: string; readonly device: string },
): Promise<void> {
  const config = await specimenConfig(name, seed);
  const checkpoint = { ...(await loadCheckpoint(run)), name: config.name };
  const report = await measureSpecimen(run, checkpoint, device);
  await mkdir(REPORTS, { recursive: true });
  await writeFile(await reportPath(name, seed), `${JSON.stringify(report, null, 2)}\n`);
  if (seed !== SEEDS[0]) return;
  const folder = join(models, config.name);
  await mkdir(folder, { recursive: true });
  await saveCheckpoint(folder, checkpoint.config, checkpoint.tensors, { tokenizerPath: join(run, 'tokenizer.json') });
  await writeFile(join(folder, 'README.md'), specimenReadme(config, report));
}

async function seedsOf(name: SpecimenName): Promise<SeedsOfArm> {
  const reports = await Promise.all(
    SEEDS.map(async (seed) => ({ seed, report: JSON.parse(await readFile(await reportPath(name, seed), 'utf8')) })),
  );
  return { name: (await specimenConfig(name)).name, label: LABEL[name], seeds: reports };
}

/** The file that compares the seeds, and what is to stand in it. */
export async function seedsComparison(): Promise<readonly [path: string, text: string]> {
  const [plain, differential] = await Promise.all(SPECIMENS.map(seedsOf));
  return [join(REPORTS, 'README.md'), seedsReadme([plain, differential])];
}
