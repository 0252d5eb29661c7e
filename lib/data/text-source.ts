import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { homeFolder } from '@/lib/checkpoint/home';
import { partialName } from '@/lib/checkpoint/partial';
import { InputError } from '@/lib/input-error';
import { loadTokenizer, tokenizerJson } from '@/lib/tokenizer';
import { byteTokenizer, characterTokenizer } from './alphabets';
import { DOCUMENT_CUTS, filesOf } from './documents';
import { type IdRange, type IdType, idTypeFor, readRow, rowsIn } from './id-file';
import { rowAt } from './order';
import { type DataSource, SPLITS, type Split, type SplitSize } from './source';
import { type HeldOut, splitByHash } from './splits';
import { fileSha256, piecesOf } from './text-stream';
import { endOfText } from './token-chunks';

const share = z.number().min(0).lt(1);

/** Fields that all sources of running text share. */
export const runningFields = {
  seed: z.int().default(0),
  /** Tokens that a row predicts; it holds one more. */
  length: z.int().min(1).default(256),
  /** `shuffled`: training rows in another order each time; `stored`: as they stand. Held-out rows always come as they stand. */
  order: z.enum(['shuffled', 'stored']).default('shuffled'),
  /** Shares of what does not say itself, by its file's name, what it is for. */
  held_out: z
    .strictObject({ validation: share, test: share })
    .refine(({ validation, test }) => validation + test < 1, 'nothing is left to train on')
    .default({ validation: 0.05, test: 0.05 }),
  /** What the data are and what one may do with them, for the card. */
  name: z.string().min(1).optional(),
  licence: z.string().min(1).default('not said'),
  /** Where ids and hashes are kept once they are made; default `statescope/data` in the user's cache folder. */
  cache: z.string().min(1).optional(),
};

export const textSourceSchema = z.strictObject({
  /** A .txt, .jsonl or .parquet file (the first two also as .gz), or a folder of them. */
  path: z.string().min(1),
  /** `bytes`, `characters`, or a tokenizer: a tokenizer.json (also .gz), or a vocab.json with merges.txt beside it. */
  tokens: z.string().min(1),
  /** What of a text file is one document; a record of a .jsonl or .parquet is one. */
  documents: z.enum(DOCUMENT_CUTS).default('file'),
  /** The field of records that holds the text. */
  field: z.string().min(1).default('text'),
  /** What is held out: documents by their hash, or the end of the whole. */
  by: z.enum(['document', 'order']).default('document'),
  ...runningFields,
});

type TextSource = z.infer<typeof textSourceSchema>;

const FILES = { ending: /\.(txt|jsonl)(\.gz)?$|\.parquet$/, said: '.txt, .jsonl (also .gz) or .parquet' };

/** Changes when ids would be made otherwise. */
const CACHE_VERSION = 1;

const cacheFolder = (given: string | undefined) =>
  resolve(given ?? join(process.env.XDG_CACHE_HOME || join(homeFolder(), '.cache'), 'statescope', 'data'));

/** The split that a file's name says: `train.txt`, `valid-00001.jsonl`, `wiki.test.raw.txt`, … */
export function namedSplit(path: string): Split | undefined {
  const words = basename(path)
    .toLowerCase()
    .split(/[^a-z]+/);
  if (words.includes('train') || words.includes('training')) return 'train';
  if (words.includes('test')) return 'test';
  return words.some((word) => ['valid', 'validation', 'val', 'dev'].includes(word)) ? 'validation' : undefined;
}

/** How a text becomes ids. */
interface Coder {
  readonly vocabularySize: number;
  readonly tokenizer: object;
  /** Put before each document. */
  readonly separator: number | undefined;
  encode(text: string): Iterable<number>;
}

/** What is kept of a text beside its ids. */
interface Made {
  readonly type: IdType;
  readonly vocabularySize: number;
  readonly tokenizer: object;
  readonly tokens: Readonly<Record<Split, number>>;
  readonly sha256: string;
}

/**
 * Rows of running text. It is tokenised once into files of ids in the cache folder, whose name is a hash of the texts and of how
 * they are read; from there rows are read one by one, so that a text may be larger than the memory.
 * @throws InputError naming file and line
 */
export async function textSource(options: TextSource): Promise<DataSource> {
  const { path, tokens, documents, field, by, name = basename(resolve(path)) } = options;
  const files = filesOf(path, FILES);
  const splits = splitsOf(files, path);
  const digests = await digestsOf(files, options.cache);
  const tokenizerText = tokens === 'bytes' || tokens === 'characters' ? tokens : await tokenizerJson(tokens);
  const recipe = { CACHE_VERSION, documents, field, by, held_out: options.held_out, tokenizerText, splits, digests };
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 32);
  const folder = join(cacheFolder(options.cache), key);
  if (!existsSync(join(folder, 'made.json'))) await make(options, files, splits, folder, digests);
  const made = JSON.parse(readFileSync(join(folder, 'made.json'), 'utf8')) as Made;
  return runningSource(options, {
    name,
    source: `${path}, ${tokens === 'bytes' || tokens === 'characters' ? tokens : `tokens of ${tokens}`}`,
    sha256: made.sha256,
    vocabularySize: made.vocabularySize,
    tokenizer: made.tokenizer,
    ranges: rangesOf(made, folder, options),
  });
}

/** Rows of ids in files, and their card. */
export function runningSource(
  { seed, length, order, licence }: Pick<TextSource, 'seed' | 'length' | 'order' | 'licence'>,
  data: Pick<DataSource, 'vocabularySize' | 'tokenizer'> & {
    readonly name: string;
    readonly source: string;
    readonly sha256: string;
    readonly ranges: Readonly<Record<Split, IdRange>>;
  },
): DataSource {
  const { name, source, sha256, ranges, vocabularySize, tokenizer } = data;
  const size = (split: Split): SplitSize => ({ rows: rowsIn(ranges[split], length), tokens: ranges[split].count });
  return {
    card: {
      name,
      source,
      licence,
      sizes: { train: size('train'), validation: size('validation'), test: size('test') },
      sha256,
    },
    vocabularySize,
    ...(tokenizer && { tokenizer }),
    row(split, index) {
      const range = ranges[split];
      const rows = rowsIn(range, length);
      if (rows === 0)
        throw new InputError(
          `The ${split} split of ${name} has ${range.count} tokens, too few for a row of ${length + 1}: hold out more, give more text, or make rows shorter.`,
        );
      const shuffled = split === 'train' && order === 'shuffled';
      const row = shuffled ? rowAt(index, rows, seed) : index % rows;
      return { tokens: readRow(range, length, row, vocabularySize), answers: [] };
    },
  };
}

/** @throws InputError where some names say what a file is for and others do not */
function splitsOf(files: readonly string[], path: string): readonly (Split | null)[] {
  const splits = files.map((file) => namedSplit(file) ?? null);
  const unnamed = files.find((_, k) => splits[k] === null);
  if (unnamed !== undefined && splits.some((split) => split !== null))
    throw new InputError(
      `${unnamed} does not say whether it is for training, validation or test, as other files of ${path} do: name it so, or take it away.`,
    );
  return splits;
}

/** SHA-256 of the files, each read once for each time that it changes. */
export async function digestsOf(files: readonly string[], given: string | undefined): Promise<string[]> {
  const cache = cacheFolder(given);
  mkdirSync(join(cache, 'files'), { recursive: true });
  const digests: string[] = [];
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    const name = createHash('sha256')
      .update(JSON.stringify([resolve(file), size, mtimeMs]))
      .digest('hex');
    const kept = join(cache, 'files', name);
    if (!existsSync(kept)) {
      const digest = await fileSha256(file);
      const partial = await partialName(kept);
      writeFileSync(partial, digest);
      renameSync(partial, kept);
    }
    digests.push(readFileSync(kept, 'utf8'));
  }
  return digests;
}

/** Of one file its own; of several that of their hashes, written one after the other. */
export const sha256OfAll = (digests: readonly string[]): string =>
  digests.length === 1 ? digests[0] : sha256OfText(digests.join(''));

async function coderOf({ tokens, path, ...options }: TextSource, files: readonly string[]): Promise<Coder> {
  if (tokens === 'bytes')
    return {
      vocabularySize: 256,
      tokenizer: byteTokenizer(),
      separator: undefined,
      encode: (text) => Buffer.from(text, 'latin1'),
    };
  if (tokens === 'characters') {
    const found = new Set<string>();
    for (const file of files)
      for await (const { text } of piecesOf(file, { ...options, cut: options.documents, asBytes: false }))
        for (const character of text) found.add(character);
    const characters = [...found].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
    const ids = new Map(characters.map((character, id) => [character, id]));
    return {
      vocabularySize: characters.length,
      tokenizer: characterTokenizer(characters),
      separator: undefined,
      encode: (text) => Array.from(text, (character) => ids.get(character) as number),
    };
  }
  const tokenizer = await loadTokenizer(tokens);
  return {
    vocabularySize: tokenizer.vocabSize,
    tokenizer: JSON.parse(await tokenizerJson(tokens)) as object,
    separator: endOfText(tokenizer.vocabulary()),
    encode: (text) =>
      tokenizer
        .encode(text)
        .tokens.filter(({ start, end }) => end > start)
        .map(({ id }) => id),
  };
}

/** Ids on their way into a file. */
class IdWriter {
  readonly #view: Uint8Array | Uint16Array | Uint32Array;
  #filled = 0;
  count = 0;

  private constructor(
    readonly file: Awaited<ReturnType<typeof open>>,
    type: IdType,
  ) {
    this.#view =
      type === 'U8' ? new Uint8Array(2 ** 20) : type === 'U16' ? new Uint16Array(2 ** 20) : new Uint32Array(2 ** 20);
  }

  static async at(path: string, type: IdType): Promise<IdWriter> {
    return new IdWriter(await open(path, 'w'), type);
  }

  async put(ids: Iterable<number>): Promise<void> {
    for (const id of ids) {
      if (this.#filled === this.#view.length) await this.#flush();
      this.#view[this.#filled++] = id;
      this.count++;
    }
  }

  async #flush(): Promise<void> {
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = this.#view;
    const bytes = new Uint8Array(buffer, byteOffset, this.#filled * BYTES_PER_ELEMENT);
    for (let done = 0; done < bytes.length; ) done += (await this.file.write(bytes, done)).bytesWritten;
    this.#filled = 0;
  }

  async close(): Promise<void> {
    await this.#flush();
    await this.file.close();
  }
}

/** Makes the ids of a text; the folder appears under its name when it is whole. */
async function make(
  options: TextSource,
  files: readonly string[],
  splits: readonly (Split | null)[],
  folder: string,
  digests: readonly string[],
): Promise<void> {
  const partial = await partialName(folder);
  mkdirSync(partial, { recursive: true });
  try {
    const coder = await coderOf(options, files);
    const type = idTypeFor(coder.vocabularySize);
    const at = (split: Split) => IdWriter.at(join(partial, `${split}.bin`), type);
    const writers = { train: await at('train'), validation: await at('validation'), test: await at('test') };
    try {
      await write(writers, coder, options, files, splits, digests);
    } finally {
      for (const split of SPLITS) await writers[split].close();
    }
    const made: Made = {
      type,
      vocabularySize: coder.vocabularySize,
      tokenizer: coder.tokenizer,
      tokens: { train: writers.train.count, validation: writers.validation.count, test: writers.test.count },
      sha256: sha256OfAll(digests),
    };
    writeFileSync(join(partial, 'made.json'), JSON.stringify(made));
    // Another process may have made the same in the meantime.
    if (!existsSync(folder)) renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Each document into the ids of its split. */
async function write(
  writers: Readonly<Record<Split, IdWriter>>,
  coder: Coder,
  options: TextSource,
  files: readonly string[],
  splits: readonly (Split | null)[],
  digests: readonly string[],
): Promise<void> {
  const stream = { cut: options.documents, field: options.field, asBytes: options.tokens === 'bytes' };
  for (const [k, file] of files.entries()) {
    let split: Split = splits[k] ?? 'train';
    for await (const { text, isFirst } of piecesOf(file, stream)) {
      if (isFirst) {
        if (!splits[k] && options.by === 'document') {
          const digest = options.documents === 'file' && isText(file) ? digests[k] : sha256OfText(text);
          split = splitByHash(Number.parseInt(digest.slice(0, 8), 16), options.held_out);
        }
        if (coder.separator !== undefined) await writers[split].put([coder.separator]);
      }
      await writers[split].put(coder.encode(text));
    }
  }
}

const isText = (file: string) => !/\.jsonl(\.gz)?$|\.parquet$/.test(file);

const sha256OfText = (text: string) => createHash('sha256').update(text).digest('hex');

/** Where the ids of each split are; by order, all were written as one. */
function rangesOf({ type, tokens }: Made, folder: string, { by, held_out }: TextSource): Record<Split, IdRange> {
  const of = (split: Split) => ({ path: join(folder, `${split}.bin`), offset: 0, type });
  const whole = (split: Split): IdRange => ({ file: of(split), start: 0, count: tokens[split] });
  if (by === 'document' || tokens.validation > 0 || tokens.test > 0)
    return { train: whole('train'), validation: whole('validation'), test: whole('test') };
  return inOrder(of('train'), tokens.train, held_out);
}

/** First what is trained on, then validation, then test. */
export function inOrder(file: IdRange['file'], count: number, { validation, test }: HeldOut): Record<Split, IdRange> {
  const [first, second] = [count - Math.round(count * (validation + test)), count - Math.round(count * test)];
  return {
    train: { file, start: 0, count: first },
    validation: { file, start: first, count: second - first },
    test: { file, start: second, count: count - second },
  };
}
