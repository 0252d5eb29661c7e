import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { openPlain } from './own-files';
import { lockFile } from './places';

/**
 * One server uses the embedded database of a folder at a time. Its lock says which process it is, and of which machine,
 * boot and PID namespace: only there a process number means anything. Elsewhere (another container, another machine on a
 * shared disk) the time of the file's last change tells, which the owner moves on every few seconds.
 */

const OwnerSchema = z.object({
  pid: z.number().int(),
  /** Tells a process from a later one with the same number; empty where the system does not say. */
  started: z.string(),
  host: z.string().optional(),
  /** Empty where the system does not say. */
  boot: z.string().optional(),
  namespace: z.string().optional(),
  /** Tells one taking of the folder from another. */
  token: z.string().optional(),
});
type Owner = z.infer<typeof OwnerSchema>;

export interface LockTimes {
  /** Between two signs of life (ms). */
  readonly beat: number;
  /** Without a sign of life for so long an owner elsewhere counts as gone (ms). */
  readonly stale: number;
  /** Between taking a lock over and being sure that nobody else has (ms). */
  readonly settle: number;
}

const TIMES: LockTimes = { beat: 5000, stale: 30_000, settle: 500 };

export interface Lock {
  /** @throws Error with one sentence when another server has taken the folder over. */
  check(): void;
  release(): void;
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

function told(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return '';
  }
}

function self(): Owner & { token: string } {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    host: hostname(),
    boot: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    namespace: told(() => readlinkSync('/proc/self/ns/pid')),
    token: randomUUID(),
  };
}

/** Owner in a lock file, and when it last gave a sign of life; undefined where there is no file. */
function read(path: string): { owner: Owner | null; beat: number } | undefined {
  let fd: number;
  try {
    // Opening makes a network file system ask its server; a bare stat may be answered from what was known.
    fd = openPlain(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const parsed = OwnerSchema.safeParse(JSON.parse(readFileSync(fd, 'utf8')));
    return { owner: parsed.success ? parsed.data : null, beat: fstatSync(fd).mtimeMs };
  } catch {
    return { owner: null, beat: fstatSync(fd).mtimeMs };
  } finally {
    closeSync(fd);
  }
}

function isEmptyFile(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.size === 0;
}

/** Whether a file is a lock, or one that was cut off before its first byte. */
export const isLock = (path: string): boolean => isEmptyFile(path) || Boolean(read(path)?.owner);

/** Whether an owner's process number means the same to both; a lock without a place was made by an older version, here. */
const isHere = (owner: Owner, own: Owner): boolean =>
  owner.host === undefined || (owner.host === own.host && owner.boot === own.boot && owner.namespace === own.namespace);

const used = (folder: string, { pid, host }: Owner, here: boolean): Error =>
  new Error(
    `The folder ${folder} is used by another Statescope (process ${pid}${here ? '' : ` on ${host}, another machine or container`}): runs of this one are not kept. Stop the other, or set STATESCOPE_DATA to another folder.`,
  );

/** @throws Error with one sentence when a server uses the embedded database of a folder. */
export function checkUnlocked(folder: string): void {
  const found = read(lockFile(folder));
  if (!found?.owner) return;
  const here = isHere(found.owner, self());
  const lives = here ? startOf(found.owner.pid) === found.owner.started : Date.now() - found.beat < TIMES.stale;
  if (lives) throw used(folder, found.owner, here);
}

/** Waits until an owner elsewhere gives a sign of life, or its time is over. */
async function isSilent(path: string, found: { owner: Owner | null; beat: number }, times: LockTimes) {
  const quiet = Date.now() - found.beat > times.stale;
  // The clocks of two machines differ: an old time is not believed before two beats were missed.
  const end = Date.now() + (quiet ? 2.5 * times.beat : times.stale);
  while (Date.now() < end) {
    await sleep(times.beat / 5);
    const now = read(path);
    if (now?.beat !== found.beat || now.owner?.token !== found.owner?.token) return false;
  }
  return true;
}

/**
 * Takes a data folder for this process. A lock whose process is gone, or that gives no sign of life, is taken over; the log
 * says so. Takes up to 30 s where the lock is another machine's.
 * @param onLost called when another server has taken the folder over, which it does when this one stood still
 * @param say hears of a lock that is taken over
 * @throws Error with one sentence when another process has it.
 */
export async function lockFolder(
  folder: string,
  onLost: (error: Error) => void = () => undefined,
  times: LockTimes = TIMES,
  say: (line: string) => void = console.info,
): Promise<Lock> {
  mkdirSync(folder, { recursive: true });
  const path = lockFile(folder);
  const own = self();
  const draft = `${path}.${own.token}`;
  try {
    for (;;) {
      writeFileSync(draft, JSON.stringify(own));
      try {
        linkSync(draft, path);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const found = read(path);
      if (!found) continue;
      const { owner } = found;
      if (owner && isHere(owner, own)) {
        if (startOf(owner.pid) === owner.started) throw used(folder, owner, true);
      } else if (owner && !(await isSilent(path, found, times))) {
        const now = read(path)?.owner;
        if (now) throw used(folder, now, isHere(now, own));
        continue;
      }
      // Whoever comes last among several that take over has it: each looks again after a while.
      const still = read(path);
      if (still?.beat !== found.beat || still.owner?.token !== owner?.token) continue;
      renameSync(draft, path);
      await sleep(times.settle);
      const winner = read(path)?.owner;
      if (winner && winner.token !== own.token) throw used(folder, winner, isHere(winner, own));
      if (winner) {
        say(
          `Took the folder ${folder} over from ${owner ? `process ${owner.pid}${isHere(owner, own) ? '' : ` on ${owner.host}`}, which is gone` : 'a lock that cannot be read'}.`,
        );
        break;
      }
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return hold(folder, own, times, onLost);
}

/** Gives signs of life through the open file: one that another server has put in its place is not touched. */
function hold(folder: string, own: Owner, times: LockTimes, onLost: (error: Error) => void): Lock {
  const path = lockFile(folder);
  const fd = openSync(path, 'r+');
  let held = true;
  const end = () => {
    if (!held) return;
    held = false;
    clearInterval(timer);
    closeSync(fd);
  };
  const check = () => {
    const owner = read(path)?.owner;
    if (held && owner?.token === own.token) return;
    end();
    throw new Error(
      `The folder ${folder} was taken over by another Statescope${owner ? ` (process ${owner.pid} on ${owner.host})` : ''} while this one stood still: runs of this one are not kept.`,
    );
  };
  const beat = () => {
    try {
      check();
      futimesSync(fd, Date.now() / 1000, Date.now() / 1000);
    } catch (error) {
      // A disk that fails says nothing of the owner.
      if (!held) onLost(error as Error);
    }
  };
  const timer = setInterval(beat, times.beat);
  timer.unref();
  return {
    check,
    release() {
      if (held && read(path)?.owner?.token === own.token) rmSync(path, { force: true });
      end();
    },
  };
}
