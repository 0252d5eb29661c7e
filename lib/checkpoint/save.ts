/** Writing a checkpoint folder in Statescope's own format. */

import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { writeStatescope } from './config-statescope';
import { writeAtomically } from './files';
import { writeSafetensors } from './safetensors';
import { checkTensors } from './schema';
import type { ModelConfig } from './types';

export interface SavedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface SaveOptions {
  /** A tokenizer.json to copy into the folder. */
  readonly tokenizerPath?: string;
  /** Texts for the weight file's `__metadata__`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Weights that a folder may hold from before and that a reader could take for the new ones. */
const OTHER_WEIGHTS = ['model.safetensors.index.json', 'pytorch_model.bin'];

async function fill(
  folder: string,
  config: ModelConfig,
  tensors: ReadonlyMap<string, SavedTensor>,
  { tokenizerPath, metadata = {} }: SaveOptions,
): Promise<void> {
  const text = `${JSON.stringify(writeStatescope(config), null, 2)}\n`;
  await writeAtomically(join(folder, 'config.json'), [new TextEncoder().encode(text)]);
  const target = join(folder, 'tokenizer.json');
  if (tokenizerPath && resolve(tokenizerPath) !== resolve(target)) await copyFile(tokenizerPath, target);
  const output = [...tensors].map(([name, { shape, data }]) => ({ name, shape, data }));
  await writeSafetensors(join(folder, 'model.safetensors'), output, { format: 'pt', ...metadata });
}

/**
 * Saves a model of any block kinds as float32 in Statescope's format. A new folder appears only when complete; in an
 * existing folder each file is replaced in one step, the weights last, and files of other names are left alone.
 * @param tensors by the names of `expectedTensors(config)`; a tied head is not among them
 * @throws InputError where the tensors do not fit the config
 */
export async function saveCheckpoint(
  folder: string,
  config: ModelConfig,
  tensors: ReadonlyMap<string, SavedTensor>,
  options: SaveOptions = {},
): Promise<void> {
  const target = resolve(folder);
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  checkTensors(config, shapes, basename(target));
  if (existsSync(target)) {
    await fill(target, config, tensors, options);
    for (const name of OTHER_WEIGHTS) await rm(join(target, name), { force: true });
    return;
  }
  const partial = join(dirname(target), `.${basename(target)}.partial-${process.pid}`);
  try {
    await mkdir(partial, { recursive: true });
    await fill(partial, config, tensors, options);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}
