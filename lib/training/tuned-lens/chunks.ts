import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { InputError, withoutMark } from '@/lib/checkpoint';
import { demoCount, trainingStories } from '@/lib/data/demo-stories';
import { openSource } from '@/lib/data/sources';
import { endOfText, tokenChunks } from '@/lib/data/token-chunks';
import type { Tokenizer } from '@/lib/tokenizer';

/**
 * Reads what a lens is fitted on, any of it also with `.gz`: `.txt`, one document; `.jsonl`, one document a line as
 * {"text": …}; `.json`, equally long rows of token ids, each a chunk as it is. Documents are joined by the tokenizer's end of
 * text and cut into chunks of `length` tokens. A `.json` object with `source`, as data of `train` have it, gives the last
 * `length` tokens (where questions stand) of its training rows that are as long. `demo:n` stands for n stories of the demo task's training split that are
 * exactly `length` tokens long, a chunk each.
 * @throws InputError where the file cannot be read or is too short, or a text comes without a tokenizer.
 */
export async function readChunks(
  path: string,
  length: number,
  V: number,
  tokenizer: () => Promise<Tokenizer>,
): Promise<number[][]> {
  const demo = demoCount(path);
  if (demo !== undefined) return storiesOf(await tokenizer(), demo, length);
  const text = await contentOf(path);
  const name = path.replace(/\.gz$/, '');
  if (name.endsWith('.json')) {
    const content = parse(path, text);
    const rows = isSource(content) ? await rowsOfSource(path, content, length) : content;
    return checkRows(path, rows, V);
  }
  const documents = name.endsWith('.jsonl') ? linesOf(path, text) : [text];
  const reader = await tokenizer();
  const chunks = tokenChunks(
    documents.map((document) => reader.encode(document).ids),
    length,
    endOfText(reader.vocabulary()),
  );
  if (chunks.length > 0) return checkRows(path, chunks, V);
  throw new InputError(`${path} holds fewer than ${length} tokens: give more text, or a smaller --length.`);
}

const isSource = (content: unknown): boolean =>
  typeof content === 'object' && content !== null && !Array.isArray(content) && 'source' in content;

/** Rows that a source is read for, at most. */
const SOURCE_ROWS = 2048;

async function rowsOfSource(path: string, config: unknown, length: number): Promise<number[][]> {
  const source = await openSource(config);
  const rows = Array.from({ length: SOURCE_ROWS }, (_, index) => [...source.row('train', index).tokens]);
  const chunks = rows.filter((row) => row.length >= length).map((row) => row.slice(-length));
  if (chunks.length > 0) return chunks;
  const longest = Math.max(...rows.map((row) => row.length));
  throw new InputError(`The longest row of ${path} has ${longest} tokens: give a smaller --length than ${length}.`);
}

const STORY_SEED = 7;
/** Stories are told this often for each that is wanted before their length is given up. */
const TRIES = 500;

function storiesOf(tokenizer: Tokenizer, count: number, length: number): number[][] {
  const stories = trainingStories(STORY_SEED);
  const rows: number[][] = [];
  for (let k = 0; k < TRIES * count && rows.length < count; k++) {
    const { ids } = tokenizer.encode(stories.next().value);
    if (ids.length === length) rows.push(ids);
  }
  if (rows.length === count) return rows;
  throw new InputError(`Stories of ${length} tokens are too rare: give --length between 20 and 80, such as 44.`);
}

async function contentOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The data ${path} cannot be read (${cause.code}).`);
  });
  return withoutMark((path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InputError(`${path} is not JSON.`);
  }
}

function linesOf(path: string, text: string): string[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, k) => {
    const document = (parse(`Line ${k + 1} of ${path}`, line) as { text?: unknown } | null)?.text;
    if (typeof document === 'string') return document;
    throw new InputError(`Line ${k + 1} of ${path} has no "text": every line must be such as {"text": "…"}.`);
  });
}

function checkRows(path: string, rows: unknown, V: number): number[][] {
  const isRow = (row: unknown): row is number[] =>
    Array.isArray(row) && row.length > 0 && row.every((id) => Number.isInteger(id) && id >= 0 && id < V);
  if (Array.isArray(rows) && rows.length > 0 && rows.every(isRow) && rows.every((row) => row.length === rows[0].length))
    return rows;
  throw new InputError(
    `${path} must give equally long rows of token ids from 0 to ${V - 1}, such as [[5, 9], [12, 4]].`,
  );
}
