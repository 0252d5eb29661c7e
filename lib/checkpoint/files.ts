/** Positional reading of files, so that one tensor at a time goes from the disk into its own memory. */

import { constants, type Stats } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { checkJsonForm, type JsonLimits } from '@/lib/json-form';
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

/** What is found in the place of a large file that was never fetched, and what to do about it. */
const STAND_INS: readonly (readonly [RegExp, string])[] = [
  [
    /^version https:\/\/git-lfs\./,
    'is a Git LFS pointer and not the file itself; run `git lfs install` and `git lfs pull` in its folder, or download the file.',
  ],
  [
    /^\s*<(?:!doctype html|html)/i,
    'is a web page and not the file itself; download the file again from its own address.',
  ],
];

/** Bytes of the longest pointer or page that is looked for. */
const LARGEST_STAND_IN = 2 ** 20;

/** What says nothing of the file: the system has run out of something. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/**
 * Opens a file for positional reads. Pipes, sockets and devices are not opened: that could wait for ever or set something
 * going.
 * @throws InputError where it does not exist or is not a file.
 */
export async function openFile(path: string): Promise<ByteSource> {
  const label = basename(path);
  const unopened = (cause: NodeJS.ErrnoException): never => {
    if (EXHAUSTED.has(cause.code ?? '')) throw cause;
    throw new InputError(`The file ${path} cannot be opened (${cause.code}); check that it exists and may be read.`);
  };
  const requireFile = (stats: Stats) => {
    if (!stats.isFile()) throw new InputError(`${path} is not a file; give the path of a file.`);
    return stats;
  };
  requireFile(await stat(path).catch(unopened));
  // A pipe that has come since is opened without waiting for its other end.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(unopened);
  let stats: Stats;
  try {
    stats = requireFile(await handle.stat());
  } catch (error) {
    await handle.close();
    throw error;
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
  if (stats.size > 0 && stats.size <= LARGEST_STAND_IN) {
    const beginning = new TextDecoder().decode(await source.read(0, Math.min(stats.size, 64)));
    const what = STAND_INS.find(([start]) => start.test(beginning))?.[1];
    if (what) {
      await handle.close();
      throw new InputError(`${path} ${what}`);
    }
  }
  return source;
}

/**
 * A small file as text.
 * @param limit most bytes that are read
 * @param form how deep JSON may nest and how many values it may hold
 * @throws InputError where it cannot be read, is no file, is larger, or is JSON of a form that no such file has
 */
export async function readText(path: string, limit: number, form?: JsonLimits): Promise<string> {
  const source = await openFile(path);
  try {
    if (source.size > limit)
      throw new InputError(
        `${path} has ${source.size} bytes, far more than such a file needs (${limit}); replace the file.`,
      );
    const bytes = await source.read(0, source.size);
    checkJsonForm(bytes, path, form);
    return new TextDecoder().decode(bytes);
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

/** What a system says that does not bring folders to the disk: it keeps their names by itself, or cannot. */
const NO_FOLDER_SYNC = ['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'ENOSYS'];

/** Brings the names in a folder to the disk: without it a new or renamed file may be gone after a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!NO_FOLDER_SYNC.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Writes chunks to a neighbouring temporary file and renames it, so that no reader ever sees half a file, nor a power cut leaves
 * one: the content is on the disk before the name, and the name when this resolves.
 */
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
    await syncFolder(dirname(path));
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw unwritable(path, error as Error);
  }
}
