import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Run, RunModel } from '@/lib/api/schemas';
import { InputError } from '@/lib/checkpoint';
import { checkFolder } from './archive/marker';
import { arraysFolder, ID, runFolder } from './archive/places';
import { writeRunFile } from './archive/run-files';
import { fromStored } from './archive/stored';
import { blockSummary } from './compute/maps/branches';
import type { ModelRecord } from './compute/runs/record';
import { readRecord } from './compute/runs/record-file';

/** A state of a run is text: one of more bytes is none. */
const LONGEST_STATE = 64 * 2 ** 20;

const bytesOf = (path: string): number => {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : 0;
};

function stateOf(folder: string): Run {
  const path = join(folder, 'run.json');
  const size = bytesOf(path);
  if (size === 0) throw new InputError(`${folder} is no folder of a run: it has no file run.json.`);
  if (size > LONGEST_STATE) throw new InputError(`${path} has ${size} bytes: that is no state of a run.`);
  try {
    return fromStored('run', readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${(error as Error).message}.`);
  }
}

/**
 * A model of a run with what its arrays say of its blocks: other programs need not know what they are called here.
 * @throws InputError where the arrays are damaged or are those of another run
 */
async function withBlocks(path: string, said: RunModel): Promise<RunModel> {
  if (bytesOf(path) === 0) throw new InputError(`The arrays of ${said.name} are missing: there is no file ${path}.`);
  let record: ModelRecord;
  try {
    record = await readRecord(path, { foreign: true });
  } catch (error) {
    throw new InputError(`${path} cannot be used: ${(error as Error).message}`);
  }
  const ids = (model: RunModel) => model.tokens.map(({ id }) => id).join();
  const { request, blocks, config } = record;
  if (request.name !== said.name || ids(request) !== ids(said) || blocks.length !== said.mapsReady)
    throw new InputError(`${path} holds another run than the one that its run.json tells of.`);
  const kinds = said.blocks.map(({ kind }) => kind).join();
  if (config.blocks.map(({ kind }) => kind).join() !== kinds)
    throw new InputError(`${path} holds other kinds of blocks than its run.json says.`);
  return {
    ...said,
    blocks: said.blocks.map(({ lambda }, layer) => ({ ...blockSummary(config.blocks[layer]), lambda })),
  };
}

/**
 * Takes the folder of a run, as `export_torch` or another store has written it, into a store, once everything in it was
 * checked. A server that has the store open lists it the next time that it is asked.
 * @param store the folder STATESCOPE_DATA
 * @returns the run's id
 * @throws InputError for what is no run, or is there already
 */
export async function importRun(folder: string, store: string): Promise<string> {
  const run = stateOf(folder);
  const id = ID.test(run.id) ? run.id : basename(folder);
  if (!ID.test(id)) throw new InputError(`${folder} names no run: an id has eight hexadecimal digits.`);
  if (run.models.length === 0) throw new InputError(`${folder} holds no run: its run.json names no model.`);
  if (run.state === 'queued' || run.state === 'running')
    throw new InputError(`The run in ${folder} has not ended (${run.state}): only one that has can be imported.`);
  const files = run.models.map((_, m) => `model-${m}.safetensors`);
  const models: RunModel[] = [];
  for (const [m, file] of files.entries()) models.push(await withBlocks(join(folder, file), run.models[m]));
  checkFolder(store);
  if (existsSync(runFolder(store, id))) throw new InputError(`Run ${id} is in ${store} already.`);
  mkdirSync(arraysFolder(store), { recursive: true });
  const draft = mkdtempSync(join(store, '.import-'));
  try {
    mkdirSync(runFolder(draft, id), { recursive: true });
    for (const file of files) cpSync(join(folder, file), join(runFolder(draft, id), file));
    const bytes = files.reduce((sum, file) => sum + bytesOf(join(folder, file)), 0);
    await writeRunFile(draft, { ...run, id, models, available: true, progress: null, analyses: [] }, bytes);
    renameSync(runFolder(draft, id), runFolder(store, id));
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return id;
}
