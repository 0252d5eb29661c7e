import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InputError } from '@/lib/input-error';

/** Bytes of a file that is read as a whole, packed and unpacked. */
const LARGEST_WHOLE = 2 ** 28;

/** What a file holds, unpacked where it is `.gz`. */
export interface WholeFile {
  /** How sentences call it. */
  readonly label: string;
  readonly bytes: Uint8Array;
}

/** @throws InputError where it cannot be read, is no file, or is larger than what is read as a whole */
export function readWhole(path: string): WholeFile {
  const label = basename(path);
  const large = (size: string) =>
    new InputError(`${path} has ${size} bytes, and at most ${LARGEST_WHOLE} are read as a whole: cut it into files.`);
  let packed: Buffer;
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new InputError(`${path} is not a file; give the path of a file.`);
    if (stats.size > LARGEST_WHOLE) throw large(String(stats.size));
    packed = readFileSync(path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}); check that it is there.`);
  }
  if (!path.endsWith('.gz')) return { label, bytes: packed };
  try {
    return { label, bytes: gunzipSync(packed, { maxOutputLength: LARGEST_WHOLE }) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw large('more unpacked');
    throw new InputError(`${path} is no gzip file, or a damaged one; fetch it again.`);
  }
}

/** @throws InputError where bytes are no UTF-8 */
export function textOf({ label, bytes }: WholeFile): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${label} is no UTF-8 text: convert it first.`);
  }
}

/** Of files one after the other, in hexadecimal. */
export function sha256Of(files: Iterable<WholeFile>): string {
  const hash = createHash('sha256');
  for (const { bytes } of files) hash.update(bytes);
  return hash.digest('hex');
}
