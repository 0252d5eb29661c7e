import { join } from 'node:path';

/** Places inside the data folder. */

export const databaseFolder = (folder: string) => join(folder, 'database');
export const lockFile = (folder: string) => join(folder, 'lock.json');
/** Model folders that were added from the page. */
export const addedFoldersFile = (folder: string) => join(folder, 'model-folders.json');
export const arraysFolder = (folder: string) => join(folder, 'runs');
export const runFolder = (folder: string, id: string) => join(arraysFolder(folder), id);
export const modelFile = (folder: string, id: string, model: number) =>
  join(runFolder(folder, id), `model-${model}.safetensors`);
/** Begins the names of files that hold the tensors of a run's analyses. */
export const ANALYSIS = 'analysis-';
export const analysisFile = (folder: string, run: string, id: string) =>
  join(runFolder(folder, run), `${ANALYSIS}${id}.safetensors`);
