import { join } from 'node:path';

/** Places inside the data folder. */

/** Says that the folder is a store, and which. */
export const storeFile = (folder: string) => join(folder, 'store.json');
export const databaseFolder = (folder: string) => join(folder, 'database');
export const lockFile = (folder: string) => join(folder, 'lock.json');
/** Model folders that were added from the page. */
export const addedFoldersFile = (folder: string) => join(folder, 'model-folders.json');
export const arraysFolder = (folder: string) => join(folder, 'runs');
export const runFolder = (folder: string, id: string) => join(arraysFolder(folder), id);
/** A run that is being removed, until its files are gone. */
export const removedFolder = (folder: string, id: string) => `${runFolder(folder, id)}.removed`;
export const modelFile = (folder: string, id: string, model: number) =>
  join(runFolder(folder, id), `model-${model}.safetensors`);
/** The run's whole state: what the database knows of it can be made from here. */
export const runFile = (folder: string, id: string) => join(runFolder(folder, id), 'run.json');
export const analysisFile = (folder: string, run: string, id: string) =>
  join(runFolder(folder, run), `analysis-${id}.safetensors`);
export const analysisRecordFile = (folder: string, run: string, id: string) =>
  join(runFolder(folder, run), `analysis-${id}.json`);

/** Names of runs and analyses. */
export const ID = /^[0-9a-f]{8}$/;

/** The folder of a store, and its name in the rows of the database. */
export interface Place {
  readonly folder: string;
  readonly store: string;
}
