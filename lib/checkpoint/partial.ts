/** What is being written has a name of its own beside its place until it is whole. */

import { readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** A folder may be shared by machines, whose process numbers mean different processes. */
const HOST = hostname().replaceAll(/[^\w.-]/g, '_');
let partials = 0;

const beginning = (name: string) => `${name}.partial-${HOST}-`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * A new name beside `path`, on the same file system. Removes first what processes of this machine have left there that
 * were killed in the middle: for a large model gigabytes.
 * @param prefix of the name, so that a folder may hide
 */
export async function partialName(path: string, prefix = ''): Promise<string> {
  const folder = dirname(path);
  const start = beginning(`${prefix}${basename(path)}`);
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid] = (name.startsWith(start) && /^(\d+)-\d+$/.exec(name.slice(start.length))) || [];
    if (pid && !isAlive(Number(pid))) await rm(join(folder, name), { recursive: true, force: true });
  }
  return join(folder, `${start}${process.pid}-${partials++}`);
}
