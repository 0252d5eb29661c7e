import { join } from 'node:path';

/** Places inside the data folder. */

export const databaseFolder = (folder: string) => join(folder, 'database');
export const lockFile = (folder: string) => join(folder, 'lock.json');
export const arraysFolder = (folder: string) => join(folder, 'runs');
export const runFolder = (folder: string, id: string) => join(arraysFolder(folder), id);
export const modelFile = (folder: string, id: string, model: number) =>
  join(runFolder(folder, id), `model-${model}.safetensors`);
