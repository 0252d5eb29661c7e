import { createHash } from 'node:crypto';
import { z } from 'zod';
import { InputError } from '@/lib/input-error';
import { loadTokenizer, type Tokenizer, tokenizerText, tokenSpan } from '@/lib/tokenizer';
import { paperPrompt } from '@/lib/vocabulary';
import { type BabiQuestion, readBabi } from './babi';
import { type Background, type ComposedSentence, type Composition, compose, factTokens } from './babilong-compose';
import { DOCUMENT_CUTS, Documents } from './documents';
import { NumpyGenerator } from './numpy-random';
import { rowAt } from './order';
import { type DataSource, type Row, SPLITS, type Split } from './source';
import { contentHash, splitByHash } from './splits';

const share = z.number().min(0).max(1);
const count = z.int().min(1);

export const babilongSourceSchema = z.strictObject({
  seed: z.int().min(0).default(0),
  /** The folder of the bAbI tasks: `en`, `en-10k`, … */
  babi: z.string().min(1),
  tasks: z
    .array(z.string().regex(/^qa([1-9]|1\d|20)$/, 'tasks are qa1 to qa20'))
    .min(1)
    .default(['qa1', 'qa2', 'qa3', 'qa4', 'qa5']),
  /** A tokenizer.json. */
  tokenizer: z.string().min(1),
  /** Text to hide the facts in: a .txt file, or a folder of them. Facts alone if left out. */
  background: z.string().min(1).optional(),
  /** What of the background is one document; documents are divided among the splits. */
  documents: z.enum(DOCUMENT_CUTS).default('file'),
  /** Tokens of facts and background together, or several of which each row draws one. */
  length: z.union([count, z.array(count).min(1)]).optional(),
  /** Where the facts are, as shares of the length; anywhere if left out. */
  depth: z
    .tuple([share, share])
    .refine(([from, to]) => from < to, 'the first number must be below the second')
    .optional(),
  /** Questions of longer stories are left out. */
  max_facts: count.optional(),
});

type BabilongSource = z.infer<typeof babilongSourceSchema>;

/** Of the background, and of what bAbI gives for training; its own test files are the test split. */
const HELD_OUT = { validation: 0.05, test: 0.05 };

/** Tokens among which the first of the facts may begin, at least, where their depth is given. */
const LEAST_CHOICE = 16;

interface Asked extends BabiQuestion {
  readonly task: string;
  /** What the task's questions are answered with. */
  readonly labels: readonly string[];
  readonly tokens: number;
}

/** A sample with everything that is known of it. */
export interface BabilongItem extends Composition {
  readonly task: string;
  readonly question: string;
  readonly target: string;
  readonly facts: readonly string[];
}

/** What evaluation asks of it beside rows: samples as text, for prompts of its own. */
export interface BabilongData extends DataSource {
  item(split: Split, index: number): BabilongItem;
}

/** @throws InputError where a file cannot be read or is of another form, or nothing is left to ask */
export async function babilongSource(options: BabilongSource): Promise<BabilongData> {
  const { seed, tasks, background: path, depth } = options;
  const tokenizer = await loadTokenizer(options.tokenizer);
  const lengths = [options.length ?? []].flat();
  if ((path === undefined) !== (lengths.length === 0))
    throw new InputError('BABILong needs background and length together: give both, or neither for the facts alone.');
  const hash = createHash('sha256');
  const questions = readQuestions(options, tokenizer, (bytes) => hash.update(bytes));
  const background = path === undefined ? undefined : readBackground(options, path, (text) => hash.update(text));

  /** The questions of a split whose facts fit into a length. */
  const fitting = new Map<string, readonly Asked[]>();
  const asked = (split: Split, length: number | undefined): readonly Asked[] => {
    const name = `${split} ${length}`;
    const [from, to] = depth ?? [0, 1];
    const room = length === undefined ? Number.POSITIVE_INFINITY : (to - from) * length - (depth ? LEAST_CHOICE : 0);
    const found = fitting.get(name) ?? questions[split].filter(({ tokens }) => tokens <= room);
    if (found.length === 0)
      throw new InputError(
        `No ${split} question of ${tasks.join(', ')} has facts of at most ${Math.floor(room)} tokens${options.max_facts ? ` and ${options.max_facts} sentences` : ''}: make the length longer${depth ? ' or the depth wider' : ''}.`,
      );
    fitting.set(name, found);
    return found;
  };

  function item(split: Split, index: number): BabilongItem & { labels: readonly string[] } {
    const key = [seed, SPLITS.indexOf(split), index];
    const places = new NumpyGenerator(key);
    const length = lengths.length === 0 ? undefined : places.pick(lengths);
    const among = asked(split, length);
    const one = among[rowAt(index, among.length, seed)];
    const texts = background?.[split] ?? { count: 1, text: () => '' };
    const composition = compose(one, {
      tokenizer,
      background: texts,
      length: length ?? one.tokens,
      texts: new NumpyGenerator([...key, 1]),
      places,
      depth,
    });
    const { task, question, answer: target, facts, labels } = one;
    return { ...composition, task, question, target, facts, labels };
  }

  return {
    card: {
      name: `babilong ${tasks.join(' ')}`,
      source: `bAbI tasks in ${options.babi}${path === undefined ? '' : ` among text of ${path}, ${lengths.join(', ')} tokens`}`,
      licence: `CC BY 3.0 (bAbI)${path === undefined ? '' : '; the background has its own'}`,
      sizes: {},
      sha256: hash.digest('hex'),
    },
    vocabularySize: tokenizer.vocabSize,
    tokenizer: JSON.parse(await tokenizerText(options.tokenizer)) as object,
    item(split, index) {
      const { labels: _, ...found } = item(split, index);
      return found;
    },
    row: (split, index) => rowOf(item(split, index), tokenizer),
  };
}

/** The questions of each split: the test files, and the training files without what the test files ask as well. */
function readQuestions(
  { babi, tasks, max_facts: most = Number.POSITIVE_INFINITY }: BabilongSource,
  tokenizer: Tokenizer,
  onBytes: (bytes: Uint8Array) => void,
): Readonly<Record<Split, readonly Asked[]>> {
  const questions: Record<Split, Asked[]> = { train: [], validation: [], test: [] };
  const told = new Map<string, number>();
  // A story's facts come with each of its questions.
  const tokensOf = (fact: string) => {
    const tokens = told.get(fact) ?? factTokens(tokenizer, [fact]);
    told.set(fact, tokens);
    return tokens;
  };
  for (const task of tasks) {
    const [train, test] = (['train', 'test'] as const).map((part) => readBabi(babi, task, part));
    for (const { file } of [train, test]) onBytes(file.bytes);
    const all = [...train.questions, ...test.questions];
    const labels = [...new Set(all.flatMap(({ answer }) => (task === 'qa19' ? answer : answer.split(','))))];
    const asked = (question: BabiQuestion): Asked => ({
      ...question,
      task,
      labels,
      tokens: question.facts.reduce((sum, fact) => sum + tokensOf(fact), 0),
    });
    const textOf = ({ facts, question }: BabiQuestion) => [...facts, question].join('\n');
    const tested = new Set(test.questions.map(textOf));
    const isShort = ({ facts }: BabiQuestion) => facts.length <= most;
    questions.test.push(...test.questions.filter(isShort).map(asked));
    for (const question of train.questions) {
      if (!isShort(question) || tested.has(textOf(question))) continue;
      // All questions of a story begin alike, and so are in one split.
      const story = contentHash(new TextEncoder().encode(question.facts.slice(0, 2).join('\n')));
      questions[splitByHash(story, { validation: HELD_OUT.validation, test: 0 })].push(asked(question));
    }
  }
  return questions;
}

/** The documents of each split. @throws InputError where a split has none */
function readBackground(
  { documents: cut }: BabilongSource,
  path: string,
  onText: (text: string) => void,
): Readonly<Record<Split, Background>> {
  const places: Record<Split, number[]> = { train: [], validation: [], test: [] };
  let seen = 0;
  const documents = new Documents(path, cut, (text) => {
    onText(text);
    places[splitByHash(contentHash(new TextEncoder().encode(text)), HELD_OUT)].push(seen++);
  });
  const of = (split: Split): Background => {
    const own = places[split];
    if (own.length === 0)
      throw new InputError(
        `${path} has ${seen} documents, and none of them falls to ${split}: give more files, or cut them by paragraph or line (documents).`,
      );
    return { count: own.length, text: (index) => documents.text(own[index]).replaceAll(/\s+/g, ' ') };
  };
  return { train: of('train'), validation: of('validation'), test: of('test') };
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The fine-tuning prompt of the paper with its answer, and what its tokens are to the question. */
function rowOf(item: BabilongItem & { readonly labels: readonly string[] }, tokenizer: Tokenizer): Row {
  const { input, question, target, task, sentences } = item;
  const prompt = paperPrompt(input, question);
  const text = `${prompt} ${target}`;
  const { ids, tokens } = tokenizer.encode(text);
  const before = prompt.indexOf(input);
  const spanOf = (start: number, end: number) => {
    const span = tokenSpan(tokens, [start, end]);
    if (!span) throw new InputError(`The tokenizer gives no token for "${text.slice(start, end)}".`);
    return span;
  };
  const others = item.labels.filter((label) => !target.split(',').includes(label)).map(escaped);
  const namesOther = new RegExp(`\\b(?:${others.join('|')})\\b`, 'i');
  const competes = ({ start, end, supporting }: ComposedSentence) =>
    !supporting && others.length > 0 && namesOther.test(input.slice(start, end));
  const spansOf = (found: readonly ComposedSentence[]) =>
    found.map(({ start, end }) => spanOf(before + start, before + end));
  const [start, end] = spanOf(prompt.length + 1, text.length);
  const [asked] = spanOf(prompt.lastIndexOf('Question:'), prompt.length);
  return {
    tokens: Int32Array.from(ids),
    answers: [{ start, end, label: task }],
    classes: {
      needle: spansOf(sentences.filter(({ supporting }) => supporting)),
      competing: spansOf(sentences.filter(competes)),
      question: [[asked, start]],
    },
  };
}
