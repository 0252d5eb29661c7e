import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { type Difference, pairedDifferences, type Resampling } from '@/lib/analysis';
import { type DataCard, type DataSource, SPLITS, type Split } from '@/lib/data/source';
import { openSource, sourceSchema } from '@/lib/data/sources';
import { InputError } from '@/lib/input-error';
import { tokenLosses } from '@/lib/models';
import { parseTokenizer, type Tokenizer } from '@/lib/tokenizer';
import { bytesOf } from '@/lib/tokenizer/byte-level';
import {
  type Arm,
  type Asked,
  checked,
  type Evaluation,
  type Item,
  type Line,
  type Reader,
  tokenizerOf,
} from './evaluation';
import { lossFigure } from './figures';
import { type Estimated, estimated, estimatedRatio, mapped } from './intervals';
import { NGrams } from './ngrams';

export const lmSchema = z
  .object({
    /** Text files, each a document of its own, read with the model's tokenizer. */
    text: z.array(z.string().min(1)).min(1).optional(),
    /** Or rows of a source of data. */
    data: sourceSchema.optional(),
    split: z.enum(SPLITS).default('test'),
    /** Rows of the source; all of a split that ends, if left out. */
    rows: z.number().int().positive().optional(),
    /** Tokens of a window, at most. */
    context: z.number().int().positive().default(1024),
    /** Tokens from one window to the next: what is scored of each is its last `stride` tokens. Default: the whole window. */
    stride: z.number().int().positive().optional(),
    /** Windows that are read at once. */
    batch: z.number().int().positive().default(8),
    /** Windows of a model, at most. */
    windows: z.number().int().positive().optional(),
    /** Models of n-grams to hold these against, counted in training rows of the source: as many as the models have read, say. */
    ngrams: z
      .object({
        orders: z.array(z.number().int().positive()).min(1).default([1, 2, 3, 4, 5]),
        rows: z.number().int().positive(),
      })
      .strict()
      .optional(),
  })
  .strict()
  .refine(({ text, data }) => (text === undefined) !== (data === undefined), 'give text or data, one of both')
  .refine(({ data, ngrams }) => data || !ngrams, 'n-grams are counted in data: give it in place of text')
  .refine(({ context, stride = context }) => stride <= context, 'the stride is longer than the window');

export type LmSettings = z.input<typeof lmSchema>;

/** What of a tokenizer.json says how much text a token stands for. */
interface TokenizerDefinition {
  readonly decoder?: { readonly type?: string } | null;
  readonly added_tokens?: readonly { readonly id: number; readonly special?: boolean }[];
  readonly model: { readonly vocab: Readonly<Record<string, number>> };
}

/** Tokens [start, end) of a document; those from `scored` on count. */
interface Window {
  readonly index: number;
  readonly document: number;
  readonly start: number;
  readonly end: number;
  /** First target that no window before this one has scored. */
  readonly scored: number;
}

interface LmItem extends Item {
  readonly windows: readonly Window[];
}

/** One window. */
export interface LmLine extends Line {
  readonly window: number;
  readonly document: number;
  readonly start: number;
  readonly end: number;
  /** Scored tokens. */
  readonly tokens: number;
  /** Of the scored tokens: −Σ ln p. */
  readonly nats: number;
  /** UTF-8 bytes and characters that the scored tokens stand for; null where that is not known, as of unknown words. */
  readonly bytes: number | null;
  readonly characters: number | null;
  /** Mean loss of all tokens of the window by how many tokens there are before them, in the bounds of the settings' context. */
  readonly losses: readonly (number | null)[];
}

/** Of text in UTF-8. */
interface Size {
  readonly bytes: number;
  readonly characters: number;
}

interface Document {
  readonly tokens: Int32Array;
  /** What tokens [from, to) stand for, where it is known. */
  sizeOf(from: number, to: number): Size | undefined;
}

/** Loss after so many tokens. */
export interface LossAt {
  /** Tokens before the one that is predicted, [from, to]. */
  readonly from: number;
  readonly to: number;
  readonly loss: Estimated;
}

export interface LmResults {
  readonly data: DataCard | { readonly name: string };
  readonly models: readonly {
    readonly label: string;
    readonly tokens: number;
    readonly bytes: number | null;
    readonly characters: number | null;
    /** Nats a token. */
    readonly loss: Estimated | null;
    readonly perplexity: Estimated | null;
    readonly bits_per_token: Estimated | null;
    readonly bits_per_byte: Estimated | null;
    readonly bits_per_character: Estimated | null;
    readonly by_position: readonly LossAt[];
  }[];
  /** Of the same tokens by counting alone, where that was asked for; each knows what stands before a token in its row. */
  readonly ngrams?: readonly NGramLoss[];
  /**
   * Of two models that read the same windows: nats a token of the second less the first, window by window, of the mean of their
   * trainings; else null.
   */
  readonly difference: Difference | null;
}

export interface NGramLoss {
  readonly order: number;
  /** Rows that were counted, and the tokens that they foretell. */
  readonly rows: number;
  readonly tokens: number;
  readonly bits_per_token: number;
}

/** Bounds of positions, as many for each factor of the length; the first ones by themselves. */
const BOUNDS = 64;

/** [from, to] of every bucket of 1 … context tokens before the predicted one. */
export function positionBounds(context: number): { readonly from: number; readonly to: number }[] {
  const ends = [...new Set(Array.from({ length: BOUNDS + 1 }, (_, k) => Math.round(context ** (k / BOUNDS))))].sort(
    (a, b) => a - b,
  );
  return ends.map((to, k) => ({ from: k === 0 ? 1 : ends[k - 1] + 1, to }));
}

/**
 * Language modelling: perplexity, bits a byte and character, and the loss by position, in windows that may overlap.
 * @throws InputError where files cannot be read or settings do not fit
 */
export async function lmEvaluation(given: unknown): Promise<Evaluation<LmItem, LmLine, LmResults>> {
  const settings = checked(lmSchema, given, 'lm');
  const { context, stride = context, batch } = settings;
  const bounds = positionBounds(context);
  const source = settings.data && (await openSource(settings.data));
  const texts = await Promise.all((settings.text ?? []).map(textOf));
  const sourceDocuments = source && documentsOfSource(source, settings);
  const read = new WeakMap<Tokenizer, Document[]>();
  const documentsFor = (reader: Reader): Document[] => {
    if (sourceDocuments) return sourceDocuments();
    const tokenizer = tokenizerOf(reader);
    const known = read.get(tokenizer) ?? texts.map((text) => documentOfText(text, tokenizer));
    read.set(tokenizer, known);
    return known;
  };
  return {
    name: 'lm',
    settings: { ...settings, stride },
    items(reader) {
      if (source && source.vocabularySize > reader.vocabulary)
        throw new InputError(
          `The data have ${source.vocabularySize} kinds of tokens and ${reader.name} knows ${reader.vocabulary}: take data made with its tokenizer.`,
        );
      const windows = documentsFor(reader)
        .flatMap(({ tokens }, document) => windowsOf(tokens.length, document, context, stride))
        .map((window, index) => ({ ...window, index }))
        .slice(0, settings.windows);
      if (windows.length === 0) throw new InputError('The text has no two tokens: nothing can be predicted.');
      return inBatches(windows, batch).map((own) => ({ lines: own.length, windows: own }));
    },
    evaluateItem(asked, { windows }) {
      const documents = documentsFor(asked);
      return linesOf(asked, documents, windows, bounds);
    },
    summarise: (arms, resampling) => ({
      data: source?.card ?? { name: (settings.text ?? []).map((path) => basename(path)).join(', ') },
      models: arms.map((arm) => summaryOf(arm, bounds, resampling)),
      ...(source && settings.ngrams && { ngrams: ngramLosses(source, settings, settings.ngrams) }),
      difference: differenceOf(arms, resampling()),
    }),
    figures: ({ models }) => [{ name: 'loss-by-position', svg: lossFigure(models) }],
  };
}

const textOf = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The text ${path} cannot be read (${cause.code ?? cause.message}).`);
  });

function documentOfText(text: string, tokenizer: Tokenizer): Document {
  const { ids, tokens } = tokenizer.encode(text);
  // What lies between two tokens counts with the later one.
  const end = (token: number) => (token < 0 ? 0 : tokens[token].end);
  const own = Int32Array.from(ids);
  const knows = knowsAll(tokenizer);
  return {
    tokens: own,
    sizeOf: (from, to) =>
      knows(own.subarray(from, to)) ? sizeOfText(text.slice(end(from - 1), end(to - 1))) : undefined,
  };
}

function documentsOfSource(source: DataSource, { split, rows }: z.output<typeof lmSchema>): () => Document[] {
  const count = rows ?? source.card.sizes[split]?.rows;
  if (count === undefined)
    throw new InputError(`The rows of ${source.card.name} have no end: say how many with "rows".`);
  const sizeOf = source.tokenizer && sizesBy(source.tokenizer as TokenizerDefinition);
  let made: Document[] | undefined;
  return () => {
    made ??= Array.from({ length: count }, (_, index) => {
      const { tokens } = source.row(split, index);
      return { tokens, sizeOf: (from, to) => sizeOf?.(tokens.subarray(from, to)) };
    });
    return made;
  };
}

/** @param settings whose rows are foretold, all of a split that ends if not said */
function ngramLosses(
  source: DataSource,
  { split, rows }: z.output<typeof lmSchema>,
  asked: NonNullable<z.output<typeof lmSchema>['ngrams']>,
): NGramLoss[] {
  const take = (from: Split, count: number) =>
    Array.from({ length: count }, (_, index) => source.row(from, index).tokens);
  const counted = take('train', asked.rows);
  const foretold = take(split, rows ?? (source.card.sizes[split]?.rows as number));
  const tokensOf = (taken: readonly Int32Array[]) => taken.reduce((sum, { length }) => sum + length - 1, 0);
  return asked.orders.map((order) => {
    const model = new NGrams(counted, order, source.vocabularySize);
    let bits = 0;
    for (const row of foretold) for (let at = 1; at < row.length; at++) bits -= Math.log2(model.probability(row, at));
    return { order, rows: asked.rows, tokens: tokensOf(counted), bits_per_token: bits / tokensOf(foretold) };
  });
}

/** Whether tokens say what the text was: one that stands for unknown words is predicted without saying which they are. */
function knowsAll(tokenizer: Tokenizer): (tokens: Int32Array) => boolean {
  const unknown = tokenizer.unknown === undefined ? -1 : tokenizer.vocabulary().indexOf(tokenizer.unknown);
  return (tokens) => unknown < 0 || !tokens.includes(unknown);
}

const sizeOfText = (text: string): Size => ({ bytes: Buffer.byteLength(text), characters: [...text].length });

const sum = (sizes: Iterable<Size | undefined>): Size => {
  const total = { bytes: 0, characters: 0 };
  for (const size of sizes) {
    total.bytes += size?.bytes ?? 0;
    total.characters += size?.characters ?? 0;
  }
  return total;
};

/**
 * What tokens stand for, by their tokenizer.json. Tokens of bytes are counted one by one, so that a character which two rows share is
 * neither lost nor counted twice; special tokens are no text.
 */
function sizesBy(definition: TokenizerDefinition): (tokens: Int32Array) => Size | undefined {
  if (definition.decoder?.type !== 'ByteLevel') {
    const tokenizer = parseTokenizer(JSON.stringify(definition));
    const knows = knowsAll(tokenizer);
    return (tokens) => (knows(tokens) ? sizeOfText(tokenizer.decode(tokens)) : undefined);
  }
  const special = new Set((definition.added_tokens ?? []).filter((token) => token.special).map(({ id }) => id));
  const sizes = new Map<number, Size>();
  for (const [spelling, id] of Object.entries(definition.model.vocab)) {
    const bytes = bytesOf(spelling) ?? Buffer.from(spelling);
    // Bytes 10xxxxxx go on with a character.
    const characters = bytes.filter((byte) => (byte & 0xc0) !== 0x80).length;
    if (!special.has(id)) sizes.set(id, { bytes: bytes.length, characters });
  }
  return (tokens) => sum(Array.from(tokens, (id) => sizes.get(id)));
}

/** Windows of a document of T tokens: every token but the first is scored once. */
function windowsOf(T: number, document: number, context: number, stride: number): Omit<Window, 'index'>[] {
  const windows: Omit<Window, 'index'>[] = [];
  for (let start = 0, scored = 1; scored < T; start += stride) {
    const end = Math.min(T, start + context + 1);
    windows.push({ document, start, end, scored });
    scored = end;
  }
  return windows;
}

/** Neighbours of one length together, at most `size`. */
function inBatches(windows: readonly Window[], size: number): Window[][] {
  const batches: Window[][] = [];
  for (const window of windows) {
    const last = batches.at(-1);
    const fits = last && last.length < size && last[0].end - last[0].start === window.end - window.start;
    if (fits) last.push(window);
    else batches.push([window]);
  }
  return batches;
}

function linesOf(
  { model }: Asked,
  documents: readonly Document[],
  windows: readonly Window[],
  bounds: readonly { readonly from: number; readonly to: number }[],
): LmLine[] {
  const rows = windows.map(({ document, start, end }) => [...documents[document].tokens.subarray(start, end)]);
  const losses = tokenLosses(model, rows);
  const length = rows[0].length - 1;
  return windows.map(({ index, document, start, end, scored }, k) => {
    const own = losses.subarray(k * length, (k + 1) * length);
    const counted = own.subarray(scored - start - 1);
    const size = documents[document].sizeOf(scored, end);
    return {
      window: index,
      ...{ document, start, end },
      tokens: counted.length,
      nats: lossOf(counted),
      ...{ bytes: size?.bytes ?? null, characters: size?.characters ?? null },
      losses: bounds.map(({ from, to }) => {
        const part = own.subarray(from - 1, to);
        return part.length === 0 ? null : lossOf(part) / part.length;
      }),
    };
  });
}

const lossOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0);

function differenceOf(arms: readonly Arm<LmLine>[], resampling: Resampling): Difference | null {
  if (arms.length !== 2) return null;
  const placesOf = (lines: readonly LmLine[]) =>
    JSON.stringify(lines.map(({ document, start, end }) => [document, start, end]));
  const runs = arms.flatMap(({ seeds }) => seeds.map(({ lines }) => placesOf(lines)));
  if (runs.some((places) => places !== runs[0])) return null;
  const [a, b] = arms.map(({ seeds }) =>
    Float64Array.from(seeds[0].lines, ({ tokens }, k) => {
      const nats = seeds.reduce((sum, { lines }) => sum + lines[k].nats, 0) / seeds.length;
      return nats / tokens;
    }),
  );
  return pairedDifferences([a], [b], resampling)[0];
}

function summaryOf(
  { label, seeds }: Arm<LmLine>,
  bounds: readonly { readonly from: number; readonly to: number }[],
  resampling: () => Resampling,
): LmResults['models'][number] {
  const total = (field: 'tokens' | 'bytes' | 'characters'): number | null => {
    const values = seeds[0].lines.map((line) => line[field]);
    return values.some((value) => value === null)
      ? null
      : values.reduce<number>((sum, value) => sum + Number(value), 0);
  };
  const per = (field: 'tokens' | 'bytes' | 'characters', scale: number) =>
    total(field) === null
      ? null
      : estimatedRatio(
          seeds.map(({ lines }) => lines.map((line) => ({ sum: line.nats * scale, count: Number(line[field]) }))),
          resampling(),
        );
  const loss = per('tokens', 1);
  return {
    label,
    ...{ tokens: Number(total('tokens')), bytes: total('bytes'), characters: total('characters') },
    loss,
    perplexity: mapped(loss, Math.exp),
    bits_per_token: mapped(loss, (nats) => nats / Math.LN2),
    bits_per_byte: per('bytes', 1 / Math.LN2),
    bits_per_character: per('characters', 1 / Math.LN2),
    by_position: bounds.flatMap(({ from, to }, k) => {
      const own = seeds.map(({ lines }) =>
        lines.flatMap(({ losses }) => (losses[k] === null ? [] : [Number(losses[k])])),
      );
      const loss = estimated(own, resampling());
      return loss ? [{ from, to, loss }] : [];
    }),
  };
}
