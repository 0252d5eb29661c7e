import { randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { isLock } from './lock';
import { isOurs, readPlain } from './own-files';
import { addedFoldersFile, arraysFolder, databaseFolder, ID, lockFile, runFolder, storeFile } from './places';

/** Which store a folder is. Rows of the database carry the same name, so that neither is taken for another's. */
export interface Marker {
  readonly store: string;
  /** Whether the folder had none before: it is new, or of a version that made no markers. */
  readonly made: boolean;
}

const FORMAT = 1;
const MarkerSchema = z.object({ format: z.literal(FORMAT), store: z.uuid() });

const elsewhere = 'Set STATESCOPE_DATA to a folder that is new or empty, or to one that Statescope has made.';

/** Files that others put into every folder, and those that Statescope writes before it opens a store. */
const HARMLESS = new Set(['lost+found', '.DS_Store', '.gitkeep', '.gitignore']);

/** An embedded database: PostgreSQL itself leaves its options beside one. */
const isEmbedded = (path: string): boolean =>
  existsSync(join(path, 'PG_VERSION')) && !existsSync(join(path, 'postmaster.opts'));

/** Whether a folder without a marker holds kept runs, as versions made it that wrote no markers. */
function isOlderStore(folder: string): boolean {
  if (isEmbedded(databaseFolder(folder))) return true;
  const holdsRun = (id: string) =>
    readdirSync(runFolder(folder, id)).some((name) => isOurs(join(runFolder(folder, id), name)));
  try {
    const entries = readdirSync(arraysFolder(folder), { withFileTypes: true });
    return entries.some((entry) => entry.isDirectory() && ID.test(entry.name) && holdsRun(entry.name));
  } catch {
    return false;
  }
}

function read(path: string): string | undefined {
  let text: string;
  try {
    text = readPlain(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return MarkerSchema.parse(JSON.parse(text)).store;
  } catch {
    throw new Error(
      `Runs are not kept: ${path} does not name a store that this version can read, so the folder is left alone. ${elsewhere}`,
    );
  }
}

/**
 * Looks whether a folder may be used, and changes nothing in it.
 * @throws Error with one sentence where it holds something that is not a store.
 */
export function checkFolder(folder: string): void {
  if (read(storeFile(folder)) !== undefined) return;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR')
      throw new Error(`Runs are not kept: ${folder} is not a folder. ${elsewhere}`);
    throw error;
  }
  const added = basename(addedFoldersFile(folder));
  const own = new Set([added, `${added}.part`, ...(isLock(lockFile(folder)) ? [basename(lockFile(folder))] : [])]);
  const emptyRuns = (name: string) =>
    name === basename(arraysFolder(folder)) && readdirSync(arraysFolder(folder)).length === 0;
  const found = names.find(
    (name) =>
      !own.has(name) && !HARMLESS.has(name) && !name.startsWith(`${basename(storeFile(folder))}.`) && !emptyRuns(name),
  );
  if (found === undefined || isOlderStore(folder)) return;
  throw new Error(
    `Runs are not kept: ${folder} holds things that Statescope did not make ("${found}"), so it is left alone. ${elsewhere}`,
  );
}

/** Reads the marker of a folder that `checkFolder` has let pass, and makes one where there is none. */
export function markFolder(folder: string): Marker {
  const path = storeFile(folder);
  const known = read(path);
  if (known !== undefined) return { store: known, made: false };
  const store = randomUUID();
  mkdirSync(folder, { recursive: true });
  const draft = `${path}.${store}`;
  writeFileSync(draft, `${JSON.stringify({ format: FORMAT, store })}\n`);
  try {
    // Unlike a renaming, a link fails where another server was faster.
    linkSync(draft, path);
    return { store, made: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { store: read(path) as string, made: false };
  } finally {
    rmSync(draft, { force: true });
  }
}
