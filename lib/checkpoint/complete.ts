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

/** The names under which weights are looked for. */
const NAMES = ['model.safetensors', 'pytorch_model.bin'];

/** What makes of weights in other files some that can be read, by what these are called. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/^adapter_model\./, 'holds an adapter alone: merge it into its model (merge_and_unload() of peft) and save that'],
  [/^(?:model|pytorch_model)-\d+-of-\d+\./, 'is a shard without its index: copy NAME.index.json beside it too'],
  [
    /^global_step\d+$|_(?:model|optim)_states\.pt$/,
    'was written by DeepSpeed: its zero_to_fp32.py makes pytorch_model.bin of it',
  ],
  [
    /^pytorch_model_fsdp|\.distcp$/,
    'is a distributed checkpoint: join it with `accelerate merge-weights`, or torch.distributed.checkpoint.format_utils',
  ],
  [/\.gguf$/, 'is a GGUF file, which is not read: take the original weights'],
  [/\.(?:h5|msgpack|onnx|npz)$/, 'is of another program: save the model from PyTorch'],
  [/\.(?:ckpt|pt|pth|bin)$/, 'is not looked for under this name: if torch.save wrote it, call it pytorch_model.bin'],
  [/\.safetensors$/, 'is not looked for under this name: call it model.safetensors'],
];

/** What training writes beside the weights. */
const BESIDE = /training_args|optimizer|scheduler|scaler|rng_state|params|adapter_config/;

/** A sentence about what lies in a folder in the place of weights; empty where nothing does. */
export function insteadOfWeights(folder: string): string {
  const names = readdirSync(folder).sort();
  if (NAMES.some((name) => names.includes(name) || names.includes(`${name}.index.json`))) return '';
  for (const [called, remedy] of REMEDIES) {
    const name = names.find((one) => called.test(one) && !BESIDE.test(one));
    if (name) return ` ${name} ${remedy.replace('NAME', name.startsWith('model') ? NAMES[0] : NAMES[1])}.`;
  }
  return '';
}
