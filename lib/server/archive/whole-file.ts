import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '@/lib/checkpoint/files';
import type { Body } from '../protocol';

/** Writes a file that appears when it is complete. Content, name and folders are on the disk when this resolves. */
export async function writeWhole(path: string, bytes: Body): Promise<void> {
  const draft = `${path}.part`;
  const folder = dirname(path);
  const made = await mkdir(folder, { recursive: true });
  await writeFile(draft, bytes, { flush: true });
  await rename(draft, path);
  await syncFolder(folder);
  if (made) for (let one = folder; one.startsWith(made); one = dirname(one)) await syncFolder(dirname(one));
}

/** Null where there is no such file. */
export async function readWhole(path: string): Promise<Body | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
