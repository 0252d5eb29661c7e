import { lstatSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { z } from 'zod';
import type { Analysis } from '@/lib/api/causal';
import type { Run } from '@/lib/api/schemas';
import { isFolder, isOurs, removeOwnFolder } from './own-files';
import { analysisRecordFile, arraysFolder, ID, removedFolder, runFile, runFolder } from './places';
import { besideStored, fromStored, toStored } from './stored';
import { writeWhole } from './whole-file';

/** The files of kept runs: they say everything that the database knows, which can be made anew from them. */

export interface AnalysisRecord {
  readonly analysis: Analysis;
  readonly question: string;
}

const encode = (text: string) => new TextEncoder().encode(`${text}\n`);

/** @param bytes of its arrays */
export const writeRunFile = (folder: string, run: Run, bytes: number): Promise<void> =>
  writeWhole(runFile(folder, run.id), encode(toStored('run', run, { bytes })));

export const writeAnalysisFile = (folder: string, run: string, { analysis, question }: AnalysisRecord) =>
  writeWhole(analysisRecordFile(folder, run, analysis.id), encode(toStored('analysis', analysis, { question })));

/** Text of a file of our own; undefined where there is none. */
const textOf = (path: string): string | undefined => (isOurs(path) ? readFileSync(path, 'utf8') : undefined);

/** The run that a folder holds, and the bytes of its arrays; undefined where it says none. @throws UnreadableError */
export function readRunFile(folder: string, id: string): { run: Run; bytes: number } | undefined {
  const text = textOf(runFile(folder, id));
  if (text === undefined) return undefined;
  const stored = besideStored(text, z.object({ bytes: z.number().int().nonnegative() })).bytes;
  const bytes = hasArrays(folder, id) ? stored : 0;
  return { run: { ...fromStored('run', text), id, available: bytes > 0 }, bytes };
}

/** @throws UnreadableError */
export function readAnalysisFile(folder: string, run: string, id: string): AnalysisRecord | undefined {
  const text = textOf(analysisRecordFile(folder, run, id));
  if (text === undefined) return undefined;
  const { question } = besideStored(text, z.object({ question: z.string() }));
  return { analysis: { ...fromStored('analysis', text), id, run }, question };
}

/** Bytes of a file; 0 where there is none. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Names of the files in the folder of a run; none where that is no folder. */
export const filesOf = (folder: string, id: string): string[] =>
  isFolder(runFolder(folder, id)) ? readdirSync(runFolder(folder, id)) : [];

/** Whether arrays of a run are there. */
export const hasArrays = (folder: string, id: string): boolean =>
  filesOf(folder, id).some((name) => /^model-\d+\.safetensors$/.test(name));

/** Ids of the analyses whose record lies in the folder of a run. */
export const analysesIn = (folder: string, id: string): string[] =>
  filesOf(folder, id).flatMap((name) => /^analysis-([0-9a-f]{8})\.json$/.exec(name)?.[1] ?? []);

/** When the folder of a run last changed, in milliseconds since 1970. */
export const changedAt = (folder: string, id: string): number => lstatSync(runFolder(folder, id)).mtimeMs;

/** Folders that have the name of a run, and runs whose removal was cut off. */
export function foldersOf(folder: string): { runs: string[]; removed: string[]; strangers: string[] } {
  const found = { runs: [] as string[], removed: [] as string[], strangers: [] as string[] };
  if (!isFolder(arraysFolder(folder))) return found;
  for (const entry of readdirSync(arraysFolder(folder), { withFileTypes: true })) {
    const id = entry.name.replace(/\.removed$/, '');
    if (!entry.isDirectory() || !ID.test(id)) found.strangers.push(entry.name);
    else found[id === entry.name ? 'runs' : 'removed'].push(id);
  }
  return found;
}

/**
 * Takes the name of a run from its files, in one step: whatever happens then, they are no run any more.
 * @returns whether there were any.
 */
export function hide(folder: string, id: string): boolean {
  if (!ID.test(id) || !isFolder(runFolder(folder, id))) return false;
  try {
    renameSync(runFolder(folder, id), removedFolder(folder, id));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    throw error;
  }
}

/** Removes the files of a run that `hide` has hidden. What is not ours stays, under its old name. */
export function removeHidden(folder: string, id: string, why: string): void {
  const path = removedFolder(folder, id);
  if (removeOwnFolder(path, why) || !isFolder(path)) return;
  if (!isFolder(runFolder(folder, id))) renameSync(path, runFolder(folder, id));
}
