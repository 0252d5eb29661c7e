import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/**
 * What Statescope has written into the folder of a run. Only that is ever removed: it is known by its name and by what
 * stands inside, it is a file and no link, and what is removed goes to the log.
 */

const ARRAYS = /^model-\d{1,3}\.safetensors$/;
const ANALYSIS = /^analysis-([0-9a-f]{8})\.safetensors$/;
const RECORD = /^(run|analysis-[0-9a-f]{8})\.json$/;
/** What a write that was cut off leaves beside the file that it was to become. */
const DRAFT = /^(.+)\.(?:part|partial-[\w.-]+-\d+-\d+)$/;

const LONGEST_HEADER = 100_000_000;

/** Header of a safetensors file, whole or cut off behind it; undefined where there is none. */
function headerOf(fd: number): Record<string, unknown> | undefined {
  const prefix = Buffer.alloc(8);
  if (readSync(fd, prefix, 0, 8, 0) < 8) return undefined;
  const length = Number(prefix.readBigUInt64LE());
  if (length > LONGEST_HEADER || 8 + length > fstatSync(fd).size) return undefined;
  const json = Buffer.alloc(length);
  readSync(fd, json, 0, length, 8);
  return JSON.parse(json.toString('utf8'));
}

const metadataOf = (header: Record<string, unknown> | undefined) =>
  (header?.__metadata__ ?? {}) as Record<string, unknown>;

function holdsOurs(name: string, fd: number): boolean {
  if (ARRAYS.test(name)) return String(metadataOf(headerOf(fd)).format).startsWith('statescope run ');
  if (ANALYSIS.test(name)) return headerOf(fd) !== undefined;
  const text = Buffer.alloc(64);
  const start = text.toString('utf8', 0, readSync(fd, text, 0, text.length, 0));
  return /^\{"format":\d+,"(run|analysis)":/.test(start);
}

/** Whether a path is a file that Statescope has written: its arrays, its records, or a draft of one. */
export function isOurs(path: string): boolean {
  const file = basename(path);
  const name = DRAFT.exec(file)?.[1] ?? file;
  if (![ARRAYS, ANALYSIS, RECORD].some((pattern) => pattern.test(name))) return false;
  let fd: number;
  try {
    if (!lstatSync(path).isFile()) return false;
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    // A draft that was cut off before its first byte holds nothing that could be anybody's.
    return (name !== file && fstatSync(fd).size === 0) || holdsOurs(name, fd);
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}

/** Whether a path is a folder and no link to one. */
export const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** Whether a name is that of a draft. */
export const isDraft = (name: string): boolean => DRAFT.test(name);

/** Does something to a path; nothing where it is gone, for another server may remove the same. */
function unlessGone(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Removes a file that Statescope has written, and says so; leaves any other. */
export function removeOwn(path: string, why: string): void {
  if (!isOurs(path)) return;
  unlessGone(() => unlinkSync(path));
  console.info(`Removed ${path}: ${why}.`);
}

/**
 * Removes what Statescope has written into a folder, and the folder when nothing else is in it.
 * @returns whether the folder is gone.
 */
export function removeOwnFolder(path: string, why: string): boolean {
  if (!isFolder(path)) return false;
  const names = readdirSync(path);
  const own = names.filter((name) => isOurs(join(path, name)));
  for (const name of own) unlessGone(() => unlinkSync(join(path, name)));
  if (own.length > 0)
    console.info(`Removed ${own.length === 1 ? '1 file' : `${own.length} files`} in ${path}: ${why}.`);
  const stranger = names.find((name) => !own.includes(name) && lstatSync(join(path, name), { throwIfNoEntry: false }));
  if (stranger === undefined) {
    unlessGone(() => rmdirSync(path));
    return true;
  }
  console.warn(`${path} stays: it holds what Statescope did not write ("${stranger}").`);
  return false;
}

/**
 * Opens a file that Statescope itself has written, for reading. Anything else of its name is not touched: opening a pipe
 * would wait for ever.
 * @throws Error with one sentence where there is no plain file of the name; ENOENT where there is nothing.
 */
export function openPlain(path: string): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new Error(
    `Runs are not kept: ${path} is not a plain file. Move it away, or set STATESCOPE_DATA to another folder.`,
  );
}

/** The text of such a file. @throws as `openPlain`. */
export function readPlain(path: string): string {
  const fd = openPlain(path);
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
