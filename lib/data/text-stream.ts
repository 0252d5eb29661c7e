import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { createGunzip, gunzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { InputError } from '@/lib/input-error';
import type { DocumentCut } from './documents';

/** Text is handed on in pieces of about so many characters. */
const PIECE = 2 ** 20;

/** Most characters of a line, a paragraph or a record: each is in memory as a whole. */
const LONGEST_DOCUMENT = 2 ** 26;

/** A piece of a document; several belong together where a file is one document. */
export interface TextPiece {
  readonly text: string;
  /** Whether a document begins here. */
  readonly isFirst: boolean;
}

export interface StreamOptions {
  readonly cut: DocumentCut;
  /** The field of records that holds the text. */
  readonly field: string;
  /** Takes bytes as characters 0 to 255, whatever they mean. */
  readonly asBytes: boolean;
}

const unreadable = (path: string, error: unknown) => {
  if (error instanceof InputError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(`${path} cannot be read (${code ?? message}); check that it is there and whole.`);
};

/** The bytes of a file in pieces, unpacked where it is `.gz`. */
async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: PIECE });
  const stream = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  // A stream that is piped from does not hand on its faults.
  file.on('error', (error) => stream.destroy(error));
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    file.destroy();
  }
}

/** Of the file as it lies there, packed or not. */
export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: PIECE })) hash.update(chunk as Buffer);
  } catch (error) {
    throw unreadable(path, error);
  }
  return hash.digest('hex');
}

async function* textOf(path: string, asBytes: boolean): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  for await (const chunk of bytesOf(path)) {
    if (asBytes) {
      yield chunk.toString('latin1');
      continue;
    }
    let text: string;
    try {
      text = decoder.decode(chunk, { stream: true });
    } catch {
      throw new InputError(
        `${path} is no UTF-8 text (near line ${line}): convert it, or take its bytes ("tokens": "bytes").`,
      );
    }
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) line++;
    yield text;
  }
}

/** The documents of a file by its name: `.jsonl`, `.parquet`, and anything else as text. @throws InputError naming file and line */
export function piecesOf(path: string, options: StreamOptions): AsyncGenerator<TextPiece> {
  if (/\.jsonl(\.gz)?$/.test(path)) return ofRecords(recordsOfLines(path, options.field), options);
  if (path.endsWith('.parquet')) return ofRecords(recordsOfParquet(path, options.field), options);
  return options.cut === 'file' ? cutAtBlanks(textOf(path, options.asBytes), PIECE) : parts(path, options);
}

async function* ofRecords(records: AsyncGenerator<string>, { asBytes }: StreamOptions): AsyncGenerator<TextPiece> {
  for await (const text of records)
    yield { text: asBytes ? Buffer.from(text, 'utf8').toString('latin1') : text, isFirst: true };
}

/**
 * One document in pieces of at least so many characters, cut before blanks that follow a sign that is none: there, tokenizers
 * that split at blanks give the same tokens as for the whole.
 */
export async function* cutAtBlanks(chunks: AsyncIterable<string>, length: number): AsyncGenerator<TextPiece> {
  let text = '';
  let isFirst = true;
  for await (const chunk of chunks) {
    text += chunk;
    if (text.length < length) continue;
    const cut = lastCut(text);
    yield { text: text.slice(0, cut), isFirst };
    isFirst = false;
    text = text.slice(cut);
  }
  if (text !== '') yield { text, isFirst };
}

/** The last place before a blank that follows none, or the end where there is no blank in all of it. */
function lastCut(text: string): number {
  for (let at = text.length - 1; at > 0; at--) if (/\s/.test(text[at]) && !/\s/.test(text[at - 1])) return at;
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last < 0xdc00 ? text.length - 1 : text.length;
}

interface Part extends TextPiece {
  /** Where it begins, from 1. */
  readonly line: number;
}

/** Lines or paragraphs with the line ends behind them, so that all together are the file but for blank ones. */
async function* parts(path: string, { cut, asBytes }: Pick<StreamOptions, 'cut' | 'asBytes'>): AsyncGenerator<Part> {
  const end = cut === 'line' ? /\n/g : /\n(?:[ \t]*\r?\n)+/g;
  let text = '';
  let line = 1;
  const check = (part: string) => {
    if (part.length <= LONGEST_DOCUMENT) return;
    throw new InputError(
      `The ${cut} that begins at line ${line} of ${path} has more than ${LONGEST_DOCUMENT} characters: cut the file otherwise (documents).`,
    );
  };
  for await (const chunk of textOf(path, asBytes)) {
    text += chunk;
    let from = 0;
    end.lastIndex = 0;
    for (let found = end.exec(text); found; found = end.exec(text)) {
      // More blank lines may come with the next chunk.
      if (cut === 'paragraph' && end.lastIndex === text.length) break;
      const part = text.slice(from, end.lastIndex);
      from = end.lastIndex;
      if (part.trim() !== '') yield { text: part, isFirst: true, line };
      line += part.split('\n').length - 1;
    }
    text = text.slice(from);
    check(text);
  }
  if (text.trim() !== '') yield { text, isFirst: true, line };
}

async function* recordsOfLines(path: string, field: string): AsyncGenerator<string> {
  for await (const { text, line } of parts(path, { cut: 'line', asBytes: false }))
    yield recordOf(text, `Line ${line} of ${basename(path)}`, field);
}

function recordOf(text: string, where: string, field: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${where} is not JSON: give one object a line.`);
  }
  const found = (value as Record<string, unknown> | null)?.[field];
  if (typeof found === 'string') return found;
  throw new InputError(`${where} has no text in the field "${field}": name the field that has (field).`);
}

/** Packings that Node brings along; Snappy comes with the reader. */
const COMPRESSORS = { GZIP: (bytes: Uint8Array) => gunzipSync(bytes) } as const;

/** One row group at a time is in memory. */
async function* recordsOfParquet(path: string, field: string): AsyncGenerator<string> {
  const name = basename(path);
  const readWith = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      throw new InputError(
        `${name} cannot be read as parquet: ${(error as Error).message}; write it anew, with Snappy or gzip.`,
      );
    }
  };
  const file = await asyncBufferFromFile(path).catch((error) => {
    throw unreadable(path, error);
  });
  const metadata = await readWith(() => parquetMetadataAsync(file));
  const columns = metadata.schema.slice(1).map((column) => column.name);
  if (!columns.includes(field))
    throw new InputError(
      `${name} has no column "${field}", but ${columns.join(', ')}: name the one with the text (field).`,
    );
  let rowStart = 0;
  for (const { num_rows: rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(rows);
    const records = await readWith(() =>
      parquetReadObjects({ file, metadata, columns: [field], rowStart, rowEnd, compressors: COMPRESSORS }),
    );
    for (const [k, record] of records.entries()) {
      if (typeof record[field] !== 'string')
        throw new InputError(`Row ${rowStart + k} of ${name} has no text in the column "${field}".`);
      yield record[field];
    }
    rowStart = rowEnd;
  }
}
