import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { lockFile } from './places';

interface Owner {
  readonly pid: number;
  /** Tells a process from a later one with the same number; empty where the system does not say. */
  readonly started: string;
}

/** When a process started, in clock ticks since boot; undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  try {
    // The name before the fields is in parentheses and may hold spaces; the start is the 20th field after it.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return '';
  }
}

function ownerOf(path: string): Owner | undefined {
  try {
    const { pid, started } = JSON.parse(readFileSync(path, 'utf8')) as Owner;
    return Number.isInteger(pid) ? { pid, started: String(started) } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a file is a lock, or one that was cut off before its first byte. */
export const isLock = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.size === 0 || ownerOf(path) !== undefined;

/**
 * Takes a data folder for this process. A lock whose process is gone is taken over.
 * @returns a function that gives it back.
 * @throws Error with one sentence when another process has it.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const path = lockFile(folder);
  const own: Owner = { pid: process.pid, started: startOf(process.pid) ?? '' };
  const isOwn = (owner: Owner | undefined) => owner?.pid === own.pid && owner.started === own.started;
  for (;;) {
    try {
      writeFileSync(path, JSON.stringify(own), { flag: 'wx' });
      return () => {
        if (isOwn(ownerOf(path))) rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = ownerOf(path);
    if (owner && (isOwn(owner) || startOf(owner.pid) === owner.started))
      throw new Error(
        `The folder ${folder} is used by another Statescope (process ${owner.pid}): runs of this one are not kept. Stop the other, or set STATESCOPE_DATA to another folder.`,
      );
    rmSync(path, { force: true });
  }
}
