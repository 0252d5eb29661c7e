import type { z } from 'zod';
import { storedSamples } from '@/lib/data/babilong';
import { type BabilongData, babilongSource, babilongSourceSchema } from '@/lib/data/babilong-source';
import type { Row } from '@/lib/data/source';
import { openSource } from '@/lib/data/sources';
import { InputError } from '@/lib/input-error';
import { parseTokenizer, type Tokenizer } from '@/lib/tokenizer';
import { paperPrompt } from '@/lib/vocabulary';
import type { babilongSchema } from './babilong-schema';
import { checked, type Reader } from './evaluation';

type Settings = z.output<typeof babilongSchema>;

/** Some samples of one condition. */
export interface Wanted {
  readonly task: string;
  readonly length: string | number;
  readonly depth: readonly [number, number] | null;
  readonly from: number;
  readonly to: number;
}

export interface Sample {
  readonly prompt: string;
  readonly question: string;
  readonly target: string;
  /** Where the last deciding fact begins, as a share of the text; null where that is not known. */
  readonly factDepth: number | null;
}

export interface Samples {
  /** How many there are of a task and length. */
  count(task: string, length: string | number): Promise<number>;
  /** @throws InputError where the reader cannot read them, or there are too few of a depth */
  read(reader: Reader, wanted: Wanted): Promise<Sample[]>;
}

/** What is asked, from where the settings say. */
export function babilongSamples(settings: Settings): Samples {
  if (settings.stories !== undefined) return told(settings.stories, settings);
  return settings.folder === undefined ? composed(settings) : published(settings.folder, settings);
}

/** The prompt that the paper evaluates with: instruction, examples and "Answer:" are left out. */
export const evaluationPrompt = (context: string, question: string): string =>
  `<context>\n${context.trim()}\n</context>\n\nQuestion: ${question}`.trim();

const promptOf = ({ prompt }: Settings) => (prompt === 'evaluation' ? evaluationPrompt : paperPrompt);

function published(folder: string, settings: Settings): Samples {
  const prompt = promptOf(settings);
  const rows = remembered((task: string, length: string | number) => storedSamples(folder, task, String(length)));
  return {
    count: async (task, length) => (await rows(task, length)).length,
    async read(_, { task, length, from, to }) {
      const last = (await rows(task, length)).slice(-settings.samples);
      return last
        .slice(from, to)
        .map(({ input, question, target }) => ({ prompt: prompt(input, question), question, target, factDepth: null }));
    },
  };
}

function composed(settings: Settings): Samples {
  const { babi, background, documents, max_facts, split, samples, data_seed: seed } = settings;
  const prompt = promptOf(settings);
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
        return {
          ...{ prompt: prompt(input, question), question, target },
          factDepth: last ? last.tokenStart / tokens : null,
        };
      });
    },
  };
}

/** Rows that are looked at for each one that is wanted. */
const SEARCH = 400;

/** Rows of stories by their last question; lengths are those of the stories' own tokenizer. */
function told(stories: Readonly<Record<string, unknown>>, { split, samples, data_seed: seed }: Settings): Samples {
  const sources = remembered(async (length: string | number) => {
    const source = await openSource({ seed, ...stories, source: 'stories', length });
    return { source, tokenizer: parseTokenizer(JSON.stringify(source.tokenizer), 'the tokenizer of the stories') };
  });
  const found = remembered(async (task: string, length: string | number, depth: string) => ({
    ...(await sources(length)),
    isWanted: wantedOf(task, JSON.parse(depth)),
    rows: [] as Row[],
    next: 0,
  }));
  return {
    count: async () => samples,
    async read(_, { task, length, depth, from, to }) {
      const cell = await found(task, length, JSON.stringify(depth));
      for (; cell.rows.length < to; cell.next++) {
        if (cell.next >= SEARCH * samples)
          throw new InputError(
            `Of ${cell.next} stories of up to ${length} tokens ${cell.rows.length} end with a ${task} question whose fact stands where it should: ask for fewer samples or longer stories.`,
          );
        const row = cell.source.row(split, cell.next);
        if (cell.isWanted(row)) cell.rows.push(row);
      }
      return cell.rows.slice(from, to).map((row) => sampleOf(row, cell.tokenizer));
    },
  };
}

/** Where the last deciding fact of a row begins, as a share of what is read. */
function factDepthOf({ answers, classes }: Row): number {
  const facts = classes?.needle ?? [];
  return Math.max(...facts.map(([start]) => start)) / answers[answers.length - 1].start;
}

const wantedOf = (task: string, depth: Wanted['depth']) => (row: Row) => {
  if (row.answers.at(-1)?.label !== task) return false;
  const at = factDepthOf(row);
  return depth === null || (at >= depth[0] && at < depth[1]);
};

function sampleOf(row: Row, tokenizer: Tokenizer): Sample {
  const { tokens, answers, classes } = row;
  const { start, end } = answers[answers.length - 1];
  const text = (from: number, to: number) => tokenizer.decode([...tokens.subarray(from, to)]);
  const [asked] = classes?.question ?? [];
  return {
    prompt: text(0, start),
    question: asked ? text(...asked).trim() : '',
    target: text(start, end).trim(),
    factDepth: factDepthOf(row),
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
