/** Writing a checkpoint folder in Statescope's own format. */

import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { OutputTensor } from '@/lib/safetensors';
import { writeStatescope } from './config-statescope';
import { syncFolder, writeAtomically } from './files';
import { partialName } from './partial';
import { writeSafetensors } from './safetensors';
import { checkTensors } from './schema';
import type { ModelConfig } from './types';

export interface SavedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface SaveOptions {
  /** A tokenizer.json to copy into the folder, with the tokenizer_config.json beside it. */
  readonly tokenizerPath?: string;
  /** The text of one that is in another form. */
  readonly tokenizer?: string;
  /** Texts for the weight file's `__metadata__`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Weights that a folder may hold from before and that a reader could take for the new ones. */
const OTHER_WEIGHTS = ['model.safetensors.index.json', 'pytorch_model.bin'];

const SETTINGS = 'tokenizer_config.json';

async function fill(
  folder: string,
  configText: string,
  tensors: readonly OutputTensor[],
  { tokenizerPath, tokenizer, metadata = {} }: SaveOptions,
): Promise<void> {
  await writeAtomically(join(folder, 'config.json'), [new TextEncoder().encode(configText)]);
  const target = join(folder, 'tokenizer.json');
  if (tokenizerPath && resolve(tokenizerPath) !== resolve(target)) {
    await writeAtomically(target, [await readFile(tokenizerPath)]);
    const settings = join(dirname(tokenizerPath), SETTINGS);
    if (existsSync(settings)) await writeAtomically(join(folder, SETTINGS), [await readFile(settings)]);
    else await rm(join(folder, SETTINGS), { force: true });
  }
  if (tokenizer !== undefined) {
    await writeAtomically(target, [new TextEncoder().encode(tokenizer)]);
    await rm(join(folder, SETTINGS), { force: true });
  }
  await writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt', ...metadata });
}

/**
 * Writes config.json, tokenizer.json and model.safetensors. A new folder appears only when complete; in an existing
 * folder each file is replaced in one step, the weights last, and files of other names are left alone.
 */
export async function writeFolder(
  folder: string,
  configText: string,
  tensors: readonly OutputTensor[],
  options: SaveOptions,
): Promise<void> {
  const target = resolve(folder);
  if (existsSync(target)) {
    await fill(target, configText, tensors, options);
    for (const name of OTHER_WEIGHTS) await rm(join(target, name), { force: true });
    return;
  }
  const partial = await partialName(target, '.');
  try {
    await mkdir(partial, { recursive: true });
    await fill(partial, configText, tensors, options);
    await rename(partial, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Saves a model of any block kinds as float32 in Statescope's format, as `writeFolder` does.
 * @param tensors by the names of `expectedTensors(config)`; a tied head is not among them
 * @throws InputError where the tensors do not fit the config
 */
export async function saveCheckpoint(
  folder: string,
  config: ModelConfig,
  tensors: ReadonlyMap<string, SavedTensor>,
  options: SaveOptions = {},
): Promise<void> {
  checkTensors(config, new Map([...tensors].map(([name, { shape }]) => [name, shape])), basename(resolve(folder)));
  const output = [...tensors].map(([name, { shape, data }]) => ({ name, shape, data }));
  await writeFolder(folder, `${JSON.stringify(writeStatescope(config), null, 2)}\n`, output, options);
}
