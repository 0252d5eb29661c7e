import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './files';
import { parseJsonObject } from './json';

/** Bytes of an index: 100,000 tensors with long names. */
export const LARGEST_INDEX = 2 ** 25;

/** Whether a folder has a config and all of its weights: caches often hold a config alone, or some of the shards. */
export async function isComplete(folder: string): Promise<boolean> {
  const has = (name: string) => existsSync(join(folder, name));
  if (!has('config.json')) return false;
  for (const name of ['model.safetensors', 'pytorch_model.bin']) {
    if (has(name)) return true;
    const index = `${name}.index.json`;
    if (!has(index)) continue;
    const shards = await readText(join(folder, index), LARGEST_INDEX)
      .then((text) => Object.values(parseJsonObject(text, index).weight_map ?? {}))
      .catch(() => []);
    return shards.length > 0 && [...new Set(shards)].every((shard) => typeof shard === 'string' && has(shard));
  }
  return false;
}

/** What makes of weights in other files some that can be read, by how these end. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^adapter_model\./, 'holds an adapter alone: merge it into its model (merge_and_unload() of peft) and save that'],
  [/\.gguf$/, 'is a GGUF file, which is not read: take the original weights'],
  [/\.(?:ckpt|pt|pth|bin)$/, 'is not looked for under this name: if torch.save wrote it, call it pytorch_model.bin'],
  [/\.safetensors$/, 'is not looked for under this name: call it model.safetensors'],
  [/\.(?:h5|msgpack|onnx)$/, 'is of another program: save the model from PyTorch'],
];

/** A sentence about what lies in a folder in the place of weights; empty where nothing does. */
export function insteadOfWeights(folder: string): string {
  const names = readdirSync(folder).sort();
  for (const [ending, remedy] of REMEDIES) {
    const name = names.find(
      (one) => ending.test(one) && !/training_args|optimizer|scheduler|rng_state|params/.test(one),
    );
    if (name) return ` ${name} ${remedy}.`;
  }
  return '';
}
