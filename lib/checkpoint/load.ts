/** Reading a checkpoint folder of any supported format. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseConfig } from './config';
import { readText } from './files';
import { parseJsonObject } from './json';
import { canonicalName, EMBEDDING, HEAD } from './names';
import { checkTensors } from './schema';
import { type Checkpoint, type CheckpointTensor, InputError, type ModelConfig } from './types';
import { withTokenizer } from './vocabulary';
import { openWeights, type StoredTensor, type WeightFiles } from './weights';

export interface OpenCheckpoint {
  /** Its vocabulary is the config's: no tokenizer is read. */
  readonly config: ModelConfig;
  /** By canonical name; a tied head is left out. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly parameterCount: number;
  close(): Promise<void>;
}

/** Bytes of a config.json: some thousand layers, each named. */
export const LARGEST_CONFIG = 2 ** 20;

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

async function readConfigFile(folder: string): Promise<string> {
  const path = join(folder, 'config.json');
  if (existsSync(path)) return readText(path, LARGEST_CONFIG);
  throw new InputError(`${path} cannot be found; a checkpoint is a folder with config.json and its weights.`);
}

function match(weights: WeightFiles, configText: string, label: string): Omit<OpenCheckpoint, 'close'> {
  const tensors = new Map<string, StoredTensor>();
  for (const tensor of weights.tensors) {
    const name = canonicalName(tensor.name);
    if (tensors.has(name)) throw new InputError(`${label}: the tensor ${name} is stored twice.`);
    tensors.set(name, tensor);
  }
  const shapes = () => new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const config = parseConfig(parseJsonObject(configText, `${label}/config.json`), shapes(), `${label}/config.json`);
  const head = tensors.get(HEAD);
  if (config.tied && head) {
    const embedding = tensors.get(EMBEDDING)?.shape ?? [];
    if (head.shape.join() !== embedding.join()) {
      throw new InputError(
        `${label}: the head is tied to the embedding, but ${HEAD} has shape [${head.shape}] and the embedding [${embedding}].`,
      );
    }
    tensors.delete(HEAD);
  }
  checkTensors(config, shapes(), label);
  const parameterCount = [...tensors.values()].reduce((sum, { shape }) => sum + elements(shape), 0);
  return { config, tensors, parameterCount };
}

/**
 * Reads a folder's config and the headers of its weights, and checks that they fit each other. No values are read.
 * The caller closes it.
 * @throws InputError
 */
export async function openCheckpoint(folder: string): Promise<OpenCheckpoint> {
  const configText = await readConfigFile(folder);
  const weights = await openWeights(folder);
  try {
    return { ...match(weights, configText, basename(resolve(folder))), close: weights.close };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/**
 * x · 0 is 0 for every finite number and NaN for all others, so sums without branches tell. Four of them, because one
 * would wait for itself at every element.
 */
function allFinite(values: Float32Array): boolean {
  const whole = values.length - (values.length % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a += values[i] * 0;
    b += values[i + 1] * 0;
    c += values[i + 2] * 0;
    d += values[i + 3] * 0;
  }
  for (let i = whole; i < values.length; i++) a += values[i] * 0;
  return a + b + c + d === 0;
}

export interface LoadOptions {
  /** Told after each tensor how many of the parameters are in memory. */
  readonly onProgress?: (parameters: number, total: number) => void;
}

/** The tensors with their values, each checked while the disk already reads the next. */
async function* valuesOf(
  tensors: Iterable<[string, StoredTensor]>,
): AsyncGenerator<[string, StoredTensor, Float32Array]> {
  const rest = [...tensors];
  let next = rest[0]?.[1].read();
  try {
    for (const [i, [name, stored]] of rest.entries()) {
      const data = await (next as Promise<Float32Array>);
      next = rest[i + 1]?.[1].read();
      yield [name, stored, data];
    }
  } finally {
    // A read that is under way must not outlive its file.
    await next?.catch(() => undefined);
  }
}

/**
 * Loads a checkpoint folder: Hugging Face `mamba`, `mamba2` and `diffmamba`, official state-spaces, or Statescope's own
 * format (equations B, B7). Every weight becomes float32; bf16 and fp16 are converted as they are read, so
 * memory is four bytes per parameter plus two tensors; float32 values stay in the memory that they were read into.
 * @param name what to call it; the folder's own name by default
 * @throws InputError for missing or broken files, unsupported architectures, tensors that do not fit, and NaN or Inf
 */
export async function loadCheckpoint(
  folder: string,
  name = basename(resolve(folder)),
  { onProgress }: LoadOptions = {},
): Promise<Checkpoint> {
  const open = await openCheckpoint(folder);
  try {
    const tensors = new Map<string, CheckpointTensor>();
    let parameters = 0;
    for await (const [canonical, stored, data] of valuesOf(open.tensors)) {
      if (!allFinite(data)) {
        throw new InputError(
          `${name}: the tensor ${stored.name} holds NaN or infinite values; the checkpoint is damaged.`,
        );
      }
      tensors.set(canonical, { sourceName: stored.name, shape: stored.shape, dtype: stored.dtype, data });
      parameters += data.length;
      onProgress?.(parameters, open.parameterCount);
    }
    const tokenizerPath = join(folder, 'tokenizer.json');
    return {
      path: resolve(folder),
      name,
      config: await withTokenizer(open.config, tokenizerPath),
      tensors,
      parameterCount: open.parameterCount,
      ...(existsSync(tokenizerPath) && { tokenizerPath }),
    };
  } finally {
    await open.close();
  }
}
