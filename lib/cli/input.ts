import { readFile } from 'node:fs/promises';
import { type Checkpoint, InputError, withoutMark } from '@/lib/checkpoint';
import { foreignTokenizer, loadTokenizer, tokenizerMissing } from '@/lib/tokenizer';

export interface InputOptions {
  readonly tokens?: string;
  readonly ids?: readonly number[];
  readonly prompt?: string;
  readonly maxTokens: number;
}

/** Parses a JSON file. @throws InputError where it cannot be read or is not JSON. */
export async function readJson(path: string, what: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The ${what} ${path} cannot be read (${cause.code ?? cause.message}).`);
  });
  try {
    return JSON.parse(withoutMark(text));
  } catch {
    throw new InputError(`The ${what} ${path} is not JSON.`);
  }
}

const isIdList = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((id) => Number.isInteger(id));

/** Reads lists of token ids, one per row: [[…], […]]. @throws InputError for anything else. */
export async function readIdRows(path: string, what: string): Promise<number[][]> {
  const rows = await readJson(path, what);
  if (Array.isArray(rows) && rows.length > 0 && rows.every(isIdList)) return rows;
  throw new InputError(`The ${what} ${path} must hold lists of token ids, one per row, such as [[5, 9, 12]].`);
}

/**
 * The token ids of `--tokens`, `--ids` or `--prompt`, checked against the model: at least one row, no empty row, ids in range, not
 * longer than `--max-tokens`.
 * @throws InputError
 */
export async function readTokens(options: InputOptions, checkpoint: Checkpoint): Promise<number[][]> {
  const rows = await rowsOf(options, checkpoint);
  const { V } = checkpoint.config;
  rows.forEach((row, index) => {
    if (row.length === 0) throw new InputError(`Row ${index} of the input has no tokens: give at least one.`);
    if (row.length > options.maxTokens)
      throw new InputError(
        `The input has ${row.length} tokens and the limit is ${options.maxTokens}: shorten it, or raise the limit with --max-tokens ${row.length}.`,
      );
    const stray = row.find((id) => id < 0 || id >= V);
    if (stray !== undefined)
      throw new InputError(
        `Token id ${stray} is outside the vocabulary of ${checkpoint.name}: ids go from 0 to ${V - 1}${options.prompt === undefined ? '' : foreignTokenizer(checkpoint.tokenizerPath)}.`,
      );
  });
  return rows;
}

async function rowsOf({ tokens, ids, prompt, maxTokens }: InputOptions, checkpoint: Checkpoint): Promise<number[][]> {
  if ([tokens, ids, prompt].filter((given) => given !== undefined).length > 1)
    throw new InputError('Give the input as --tokens, as --ids or as --prompt, only one of them.');
  if (ids !== undefined) return [[...ids]];
  if (tokens !== undefined) return readIdRows(tokens, 'token file');
  if (prompt === undefined)
    throw new InputError('There is no input: give --tokens FILE.json, --ids 5,9,12 or --prompt TEXT.');
  if (!checkpoint.tokenizerPath)
    throw new InputError(
      `${tokenizerMissing(checkpoint.name, checkpoint.path)}; or give the prompt as --tokens FILE.json.`,
    );
  const encoding = (await loadTokenizer(checkpoint.tokenizerPath)).encodeWithin(prompt, maxTokens);
  if (encoding) return [encoding.ids];
  throw new InputError(
    `The prompt has more than ${maxTokens} tokens, which is the limit: shorten it, or raise the limit with --max-tokens.`,
  );
}

/** Checks that all rows have the length of the first. @throws InputError */
export function requireEqualLengths(rows: number[][]): number[][] {
  const odd = rows.findIndex((row) => row.length !== rows[0].length);
  if (odd < 0) return rows;
  throw new InputError(
    `Row ${odd} of the input has ${rows[odd].length} tokens and row 0 has ${rows[0].length}: rows of one batch must be equally long.`,
  );
}

/** The positions of `--position`: one, counted from the end where negative, or all. @throws InputError */
export function positionsOf(text: string, L: number): number[] {
  if (text === 'all') return Array.from({ length: L }, (_, t) => t);
  const given = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  const position = given < 0 ? L + given : given;
  if (position >= 0 && position < L) return [position];
  throw new InputError(`--position takes "all" or a position from ${-L} to ${L - 1}, not "${text}".`);
}
