/** Writing a checkpoint folder in the Hugging Face formats. */

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { OutputTensor, OutputType } from '@/lib/safetensors';
import { writeHf } from './config-hf-write';
import { readText } from './files';
import { type JsonObject, parseJsonObject } from './json';
import { LARGEST_CONFIG } from './load';
import { type SavedTensor, type SaveOptions, writeFolder } from './save';
import { checkTensors } from './schema';
import { InputError, type ModelConfig, type StoredDtype } from './types';

export interface HfTensor extends SavedTensor {
  /** What the file shall hold; default float32, and float32 for float64, whose values are float32 in memory. */
  readonly dtype?: StoredDtype;
}

export interface SaveHfOptions extends SaveOptions {
  /** Folder that the model was loaded from: its token ids and initial ranges are kept. */
  readonly source?: string;
}

const TYPES: Readonly<Record<StoredDtype, OutputType>> = {
  float32: 'F32',
  float64: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
};

/** The source's config where it is of a Hugging Face format. */
async function formerConfig(source: string | undefined): Promise<JsonObject> {
  const path = source && join(source, 'config.json');
  if (!path || !existsSync(path)) return {};
  const fields = parseJsonObject(await readText(path, LARGEST_CONFIG), path);
  return fields.model_type === 'mamba' || fields.model_type === 'mamba2' ? fields : {};
}

/** The dtype of most values, which Python loads the whole model in. */
function mainDtype(tensors: Iterable<HfTensor>): StoredDtype {
  const counts = new Map<StoredDtype, number>();
  for (const { dtype = 'float32', data } of tensors) counts.set(dtype, (counts.get(dtype) ?? 0) + data.length);
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most[0] === 'float64' ? 'float32' : most[0];
}

/**
 * Saves a model as `mamba`, `mamba2` or the authors' `mamba2` with `diffmamba`, whichever holds it, so that the Python
 * libraries open it (equations B1, B3, B5). Weights go into one model.safetensors, each in its own dtype: what was
 * loaded and not changed is written bit for bit. A new folder appears only when complete.
 * @param tensors by the names of `expectedTensors(config)`; a tied head is not among them
 * @throws InputError where no Hugging Face format can hold the model, or the tensors do not fit the config
 */
export async function saveHfCheckpoint(
  folder: string,
  config: ModelConfig,
  tensors: ReadonlyMap<string, HfTensor>,
  { source, ...options }: SaveHfOptions = {},
): Promise<void> {
  checkTensors(config, new Map([...tensors].map(([name, { shape }]) => [name, shape])), basename(resolve(folder)));
  const text = writeHf(config, mainDtype(tensors.values()), await formerConfig(source));
  const output = [...tensors].map(
    ([name, { shape, data, dtype = 'float32' }]): OutputTensor => ({ name, shape, data, type: TYPES[dtype] }),
  );
  const overflow = output.find(({ type, data }) => type === 'F16' && data.some((value) => Math.abs(value) >= 65520));
  if (overflow) throw new InputError(`${overflow.name} has values too large for float16: save the model as float32.`);
  await writeFolder(folder, text, output, options);
}
