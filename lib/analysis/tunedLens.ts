import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, readSafetensors, readTorchFile } from '@/lib/checkpoint';
import type { Translator } from './lens';

interface Stored {
  readonly shape: readonly number[];
  readonly data: unknown;
}

/** Where a model's tuned lens lies, inside the model's folder. */
export const TUNED_LENS_FOLDER = 'tuned-lens';

/**
 * Reads a tuned lens in the layout of the tuned-lens library: `0.weight` [d,d], `0.bias` [d], `1.weight`, …, in
 * params.safetensors or params.pt; one translator per block.
 * @param d width of the residual stream
 * @throws InputError where the folder holds no lens, or one of another width or with a layer missing.
 */
export async function readTunedLens(folder: string, d: number): Promise<Translator[]> {
  const tensors = await readParameters(folder);
  const read = (name: string, shape: readonly number[]) => {
    const tensor = tensors.get(name);
    if (tensor?.data instanceof Float32Array && tensor.shape.join() === shape.join()) return tensor.data;
    const found = tensor ? `is of shape [${tensor.shape}]` : 'is missing';
    throw new InputError(`The tuned lens ${folder} does not fit: ${name} must be of shape [${shape}] and ${found}.`);
  };
  return Array.from({ length: Math.ceil(tensors.size / 2) }, (_, k) => ({
    weight: read(`${k}.weight`, [d, d]),
    bias: read(`${k}.bias`, [d]),
  }));
}

async function readParameters(folder: string): Promise<ReadonlyMap<string, Stored>> {
  const [safetensors, torch] = ['params.safetensors', 'params.pt'].map((name) => join(folder, name));
  if (existsSync(safetensors)) return readSafetensors(safetensors);
  if (existsSync(torch)) return readTorchFile(torch);
  throw new InputError(`${folder} is not a tuned lens: it has neither params.safetensors nor params.pt.`);
}
