import { z } from 'zod';
import type { Resampling } from '@/lib/analysis';
import { storedSamples } from '@/lib/data/babilong';
import { type BabilongData, babilongSource, babilongSourceSchema } from '@/lib/data/babilong-source';
import { SPLITS } from '@/lib/data/source';
import { endOfText } from '@/lib/data/token-chunks';
import { InputError } from '@/lib/input-error';
import { answerToken } from '@/lib/tokenizer';
import { paperPrompt } from '@/lib/vocabulary';
import { continued } from './answers';
import {
  type Arm,
  type Asked,
  checked,
  type Evaluation,
  type Figure,
  type Item,
  type Line,
  type Reader,
  runsOf,
  tokenizerOf,
} from './evaluation';
import { depthFigure, type RatioCell, RULES, ratioFigure, scoreFigure } from './figures';
import { type Estimated, estimated, ratioOfMeans } from './intervals';
import { labelsOf, TASKS } from './labels';
import { score } from './score';

const count = z.number().int().positive();

export const babilongSchema = z
  .object({
    /** The published samples: the folder of RMT-team/babilong-1k-samples. */
    folder: z.string().min(1).optional(),
    /** Or facts of bAbI, composed with other text: the folder of the tasks and the text. */
    babi: z.string().min(1).optional(),
    background: z.string().min(1).optional(),
    /** What of the background is one document. */
    documents: z.string().optional(),
    /** Of composed samples: questions of longer stories are left out. */
    max_facts: count.optional(),
    split: z.enum(SPLITS).default('test'),
    tasks: z.array(z.string()).min(1).default(['qa1', 'qa2', 'qa3', 'qa4', 'qa5']),
    /** Of published samples 0k, 1k, …; of composed ones tokens; of facts alone 0k. */
    lengths: z.array(z.union([count, z.string().min(1)])).min(1),
    /** Of composed samples: shares of the length between which the facts stand, each a condition of its own; default: anywhere. */
    depths: z
      .array(z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)]))
      .min(1)
      .optional(),
    /** Of each task, length and depth; of published ones the last of the file. */
    samples: count.default(100),
    max_new_tokens: count.default(20),
    /** `evaluation` ends with the question, as the paper evaluates; `training` with "Answer:", as it trains. */
    prompt: z.enum(['evaluation', 'training']).default('evaluation'),
    /** Prompts that are continued at once. */
    batch: count.default(8),
    /** Of the composition. */
    data_seed: z.number().int().min(0).default(0),
  })
  .strict()
  .superRefine((given, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const { folder, babi, background, depths, lengths, tasks } = given;
    if ((folder === undefined) === (babi === undefined)) fault('folder', 'give folder or babi, one of both');
    if (folder !== undefined && (background !== undefined || depths !== undefined))
      fault('folder', 'published samples have their background and depths already');
    const numbers = lengths.every((length) => typeof length === 'number');
    if (babi !== undefined && background !== undefined && !numbers) fault('lengths', 'composed samples take tokens');
    if (babi !== undefined && background === undefined) {
      if (lengths.some((length) => length !== '0k')) fault('lengths', 'facts alone have the length 0k');
      if (depths !== undefined) fault('depths', 'depths need a background');
    }
    if (folder !== undefined && lengths.some((length) => typeof length === 'number'))
      fault('lengths', 'published samples are called 0k, 1k, …');
    for (const task of tasks)
      if (!labelsOf(task)) fault('tasks', `there is no task "${task}": tasks are ${TASKS[0]} to ${TASKS.at(-1)}`);
  });

export type BabilongSettings = z.input<typeof babilongSchema>;

interface BabilongItem extends Item {
  readonly task: string;
  readonly length: string | number;
  readonly depth: readonly [number, number] | null;
  readonly from: number;
  readonly to: number;
}

/** One answer. */
export interface BabilongLine extends Line {
  readonly task: string;
  readonly length: string | number;
  /** The shares of the length that were asked for; null for anywhere. */
  readonly depth: readonly [number, number] | null;
  readonly sample: number;
  /** Where the last deciding fact begins, as a share of the context; null where that is not known. */
  readonly fact_depth: number | null;
  /** Tokens of the prompt. */
  readonly tokens: number;
  readonly question: string;
  readonly target: string;
  /** The first token of the answer; null where the vocabulary lacks it. */
  readonly target_token: { readonly id: number; readonly text: string } | null;
  readonly output: string;
  readonly strict: boolean;
  readonly first: boolean;
}

interface Scores {
  readonly n: number;
  readonly strict: Estimated | null;
  readonly first: Estimated | null;
}

interface ModelScores {
  readonly label: string;
  readonly cells: readonly (Scores & { readonly task: string; readonly length: string | number })[];
  /** Over all tasks and lengths, by where the last deciding fact stands. */
  readonly by_depth: readonly (Scores & { readonly from: number; readonly to: number })[];
}

export interface BabilongResults {
  readonly models: readonly ModelScores[];
  /** Of the second model against the first, where there are two. */
  readonly ratios: { readonly strict: readonly RatioCell[]; readonly first: readonly RatioCell[] } | null;
}

/** What a question is made of. */
interface Sample {
  readonly context: string;
  readonly question: string;
  readonly target: string;
  readonly factDepth: number | null;
}

/** Parts of the context that depths are told by where none are asked for. */
const DEPTHS = 5;

/** The prompt that the paper evaluates with: instruction, examples and "Answer:" are left out. */
export const evaluationPrompt = (context: string, question: string): string =>
  `<context>\n${context.trim()}\n</context>\n\nQuestion: ${question}`.trim();

/**
 * Questions about facts that are hidden in long texts, by task, length and depth, scored by both rules.
 * @throws InputError where settings do not fit
 */
export async function babilongEvaluation(
  given: unknown,
): Promise<Evaluation<BabilongItem, BabilongLine, BabilongResults>> {
  const settings = checked(babilongSchema, given, 'babilong');
  const { tasks, lengths, depths, samples, batch } = settings;
  const samplesOf = settings.folder === undefined ? composed(settings) : published(settings.folder, samples);
  const cells = tasks.flatMap((task) =>
    lengths.flatMap((length) => (depths ?? [null]).map((depth) => ({ task, length, depth }))),
  );
  const counts = await Promise.all(cells.map(({ task, length }) => samplesOf.count(task, length)));
  return {
    name: 'babilong',
    settings,
    items(reader) {
      tokenizerOf(reader);
      return cells.flatMap((cell, c) =>
        runsOf(Math.min(samples, counts[c]), batch).map(({ from, to }) => ({ lines: to - from, ...cell, from, to })),
      );
    },
    async evaluateItem(asked, item) {
      const found = await samplesOf.read(asked, item);
      return linesOf(asked, item, found, settings);
    },
    summarise: (arms, resampling) => summaryOf(arms, depths ?? null, resampling),
    figures,
  };
}

interface Samples {
  /** How many there are of a task and length. */
  count(task: string, length: string | number): Promise<number>;
  read(reader: Reader, item: BabilongItem): Promise<Sample[]>;
}

function published(folder: string, samples: number): Samples {
  const rows = remembered((task: string, length: string | number) => storedSamples(folder, task, String(length)));
  return {
    count: async (task, length) => (await rows(task, length)).length,
    async read(_, { task, length, from, to }) {
      const last = (await rows(task, length)).slice(-samples);
      return last
        .slice(from, to)
        .map(({ input, question, target }) => ({ context: input, question, target, factDepth: null }));
    },
  };
}

function composed(settings: z.output<typeof babilongSchema>): Samples {
  const { babi, background, documents, max_facts, split, samples, data_seed: seed } = settings;
  const sources = remembered(
    (tokenizer: string, task: string, length: string | number, depth: string): Promise<BabilongData> =>
      babilongSource(
        checked(
          babilongSourceSchema,
          {
            ...{ seed, babi, tasks: [task], tokenizer, background, documents, max_facts },
            ...(background !== undefined && { length }),
            ...(depth !== 'null' && { depth: JSON.parse(depth) }),
          },
          'babilong',
        ),
      ),
  );
  return {
    count: async () => samples,
    async read(reader, { task, length, depth, from, to }) {
      const { tokenizerPath, name } = reader;
      if (tokenizerPath === undefined) throw new InputError(`${name} has no tokenizer.json, which measures lengths.`);
      const source = await sources(tokenizerPath, task, length, JSON.stringify(depth));
      return Array.from({ length: to - from }, (_, k): Sample => {
        const { input, question, target, sentences, tokens } = source.item(split, from + k);
        const last = sentences.filter(({ supporting }) => supporting).at(-1);
        return { context: input, question, target, factDepth: last ? last.tokenStart / tokens : null };
      });
    },
  };
}

/** A function that does its work once for the same arguments. */
function remembered<A extends readonly (string | number)[], T>(work: (...args: A) => Promise<T>) {
  const done = new Map<string, Promise<T>>();
  return (...args: A): Promise<T> => {
    const key = JSON.stringify(args);
    const found = done.get(key) ?? work(...args);
    done.set(key, found);
    return found;
  };
}

function linesOf(
  asked: Asked,
  { task, length, depth, from }: BabilongItem,
  samples: readonly Sample[],
  { prompt, max_new_tokens: most }: z.output<typeof babilongSchema>,
): BabilongLine[] {
  const tokenizer = tokenizerOf(asked);
  const promptOf = prompt === 'evaluation' ? evaluationPrompt : paperPrompt;
  const prompts = samples.map(({ context, question }) => tokenizer.encode(promptOf(context, question)).ids);
  const added = continued(asked.model, prompts, most, endOfText(tokenizer.vocabulary()));
  return samples.map(({ question, target, factDepth }, k) => {
    const output = tokenizer.decode(added[k], { skipSpecial: true }).trim();
    const first = answerToken(tokenizer, target);
    return {
      ...{ task, length, depth, sample: from + k, fact_depth: factDepth, tokens: prompts[k].length },
      ...{ question, target, target_token: first ? { id: first.id, text: first.text } : null, output },
      ...score({ task, target, output, question }),
    };
  });
}

function summaryOf(
  arms: readonly Arm<BabilongLine>[],
  depths: readonly (readonly [number, number])[] | null,
  resampling: () => Resampling,
): BabilongResults {
  const all = arms.flatMap(({ seeds }) => seeds.flatMap(({ lines }) => lines));
  const keys = [...new Map(all.map(({ task, length }) => [JSON.stringify([task, length]), { task, length }])).values()];
  const of = (arm: Arm<BabilongLine>, chosen: (line: BabilongLine) => boolean, rule: 'strict' | 'first') =>
    arm.seeds.map(({ lines }) => lines.filter(chosen).map((line) => Number(line[rule])));
  const scores = (arm: Arm<BabilongLine>, chosen: (line: BabilongLine) => boolean): Scores => {
    const strict = of(arm, chosen, 'strict');
    return {
      n: strict.flat().length,
      strict: estimated(strict, resampling()),
      first: estimated(of(arm, chosen, 'first'), resampling()),
    };
  };
  const inCell = (key: (typeof keys)[number]) => (line: BabilongLine) =>
    line.task === key.task && line.length === key.length;
  const bins = depths ?? Array.from({ length: DEPTHS }, (_, k) => [k / DEPTHS, (k + 1) / DEPTHS] as const);
  const inBin = ([from, to]: readonly [number, number]) =>
    depths
      ? (line: BabilongLine) => line.depth?.[0] === from && line.depth[1] === to
      : ({ fact_depth: at }: BabilongLine) => at !== null && at >= from && (at < to || (to === 1 && at === 1));
  const models = arms.map((arm) => ({
    label: arm.label,
    cells: keys.map((key) => ({ ...key, ...scores(arm, inCell(key)) })),
    by_depth: bins.map((bin) => ({ from: bin[0], to: bin[1], ...scores(arm, inBin(bin)) })).filter(({ n }) => n > 0),
  }));
  const ratios = (rule: 'strict' | 'first'): RatioCell[] =>
    keys.map((key) => ({
      ...key,
      ratio: ratioOfMeans(of(arms[1], inCell(key), rule), of(arms[0], inCell(key), rule), resampling()),
    }));
  return { models, ratios: arms.length === 2 ? { strict: ratios('strict'), first: ratios('first') } : null };
}

function figures({ models, ratios }: BabilongResults): Figure[] {
  const labels = models.map(({ label }) => label) as [string, string];
  return [
    ...RULES.map((rule) => ({ name: `accuracy-${rule.rule}`, svg: scoreFigure(models, rule) })),
    ...(ratios
      ? RULES.map((rule) => ({ name: `ratio-${rule.rule}`, svg: ratioFigure(labels, ratios[rule.rule], rule) }))
      : []),
    ...(models[0].by_depth.length > 0 ? [{ name: 'accuracy-by-depth', svg: depthFigure(models) }] : []),
  ];
}
