/** Positional reading of files, so that one tensor at a time goes from the disk into its own memory. */

import { open, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { partialName } from './partial';
import { InputError } from './types';

/** Something of known size that can be read at any place: a file, or bytes in memory. */
export interface ByteSource {
  /** How errors call it. */
  readonly label: string;
  readonly size: number;
  /** Exactly `length` bytes from `start`, in memory of their own. @throws InputError past the end. */
  read(start: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Node refuses single reads of 2 GiB and more. */
const LARGEST_READ = 2 ** 30;

function checkBounds(source: ByteSource, start: number, length: number): void {
  if (start >= 0 && length >= 0 && start + length <= source.size) return;
  throw new InputError(
    `${source.label} is cut short: ${start + length} bytes are needed and it has ${source.size}; copy or download it again.`,
  );
}

/** Opens a file for positional reads. @throws InputError where it does not exist or is not a file. */
export async function openFile(path: string): Promise<ByteSource> {
  const label = basename(path);
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new InputError(`The file ${path} cannot be opened (${cause.code}); check that it exists and may be read.`);
  });
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw new InputError(`${path} is not a file; give the path of a file.`);
  }
  const source: ByteSource = {
    label,
    size: stats.size,
    async read(start, length) {
      checkBounds(source, start, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, LARGEST_READ), start + done);
        if (bytesRead === 0) checkBounds({ ...source, size: start + done }, start, length);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
  return source;
}

/** Far more than any config or index needs. */
const LARGEST_TEXT = 2 ** 26;

/** A config or index file as text. @throws InputError where it cannot be read, is no file, or has over 64 MiB */
export async function readText(path: string): Promise<string> {
  const source = await openFile(path);
  try {
    if (source.size > LARGEST_TEXT)
      throw new InputError(`${path} has ${source.size} bytes, far more than such a file needs; replace the file.`);
    return new TextDecoder().decode(await source.read(0, source.size));
  } finally {
    await source.close();
  }
}

/** The same over bytes that are already in memory. */
export function memorySource(bytes: Uint8Array, label: string): ByteSource {
  const source: ByteSource = {
    label,
    size: bytes.byteLength,
    async read(start, length) {
      checkBounds(source, start, length);
      return new Uint8Array(bytes.subarray(start, start + length));
    },
    async close() {},
  };
  return source;
}

/** What the system says of a place or a full disk is for the user to mend; anything else is our own failure. */
function unwritable(path: string, error: NodeJS.ErrnoException): Error {
  if (error.syscall === undefined || error.code === undefined) return error;
  return new InputError(
    `${path} cannot be written (${error.code}); check its name, its folder and the space on the disk.`,
    { cause: error },
  );
}

/** Writes chunks to a neighbouring temporary file and renames it, so that no reader ever sees half a file. */
export async function writeAtomically(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  const partial = await partialName(path);
  const handle = await open(partial, 'w').catch((cause) => {
    throw unwritable(path, cause);
  });
  try {
    for (const chunk of chunks) {
      for (let done = 0; done < chunk.byteLength; ) {
        const { bytesWritten } = await handle.write(chunk, done, Math.min(chunk.byteLength - done, LARGEST_READ));
        done += bytesWritten;
      }
    }
    await handle.sync();
    await handle.close();
    await rename(partial, path);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw unwritable(path, error as Error);
  }
}
