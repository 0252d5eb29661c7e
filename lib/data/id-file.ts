import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { InputError } from '@/lib/input-error';

/** How ids are stored, little-endian. */
export const ID_BYTES = { U8: 1, U16: 2, U32: 4, I8: 1, I16: 2, I32: 4, I64: 8, U64: 8 } as const;
export type IdType = keyof typeof ID_BYTES;

/** The smallest that holds a vocabulary. */
export const idTypeFor = (vocabularySize: number): IdType =>
  vocabularySize <= 0x100 ? 'U8' : vocabularySize <= 0x1_0000 ? 'U16' : 'U32';

const VIEWS = {
  U8: Uint8Array,
  U16: Uint16Array,
  U32: Uint32Array,
  I8: Int8Array,
  I16: Int16Array,
  I32: Int32Array,
} as const;

/** Ids in a file, of which only what is asked for is read: a file may be larger than the memory. */
export interface IdFile {
  readonly path: string;
  /** Byte at which the ids begin. */
  readonly offset: number;
  readonly type: IdType;
}

/**
 * Ids [start, start + count).
 * @throws InputError where the file has become shorter, or an id is outside the vocabulary
 */
export function readIds(
  { path, offset, type }: IdFile,
  start: number,
  count: number,
  vocabularySize: number,
): Int32Array {
  const size = ID_BYTES[type];
  const bytes = new Uint8Array(count * size);
  const file = openSync(path, 'r');
  try {
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(file, bytes, done, bytes.length - done, offset + start * size + done);
      if (read === 0)
        throw new InputError(`${path} has become shorter (${fstatSync(file).size} bytes) since it was opened.`);
      done += read;
    }
  } finally {
    closeSync(file);
  }
  const ids =
    type === 'I64' || type === 'U64'
      ? Int32Array.from(new BigInt64Array(bytes.buffer), (id) => Number(id))
      : Int32Array.from(new VIEWS[type](bytes.buffer));
  const wrong = ids.findIndex((id) => id < 0 || id >= vocabularySize);
  if (wrong >= 0)
    throw new InputError(
      `Id ${start + wrong} of ${path} is ${ids[wrong]}, and the vocabulary has ${vocabularySize}: give its size.`,
    );
  return ids;
}

/** A part of a file of ids. */
export interface IdRange {
  readonly file: IdFile;
  readonly start: number;
  readonly count: number;
}

/**
 * Rows of `length` + 1 ids, in which every id but the first is said once: neighbours share one.
 */
export const rowsIn = ({ count }: IdRange, length: number): number => Math.max(0, Math.floor((count - 1) / length));

export const readRow = ({ file, start }: IdRange, length: number, row: number, vocabularySize: number): Int32Array =>
  readIds(file, start + row * length, length + 1, vocabularySize);
