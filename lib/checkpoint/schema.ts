/** Which tensors, of which shapes, a model must have. */

import { architectureOf } from '@/lib/architectures';
import type { Shape, Shapes } from '@/lib/architectures/types';
import { blockPrefix, EMBEDDING, FINAL_NORM, HEAD } from './names';
import { InputError, type ModelConfig } from './types';

/** Every tensor of a model by its Hugging Face name, in the order in which a forward pass meets them. */
export function expectedTensors(config: ModelConfig): Map<string, Shape> {
  const tensors: Shapes = [[EMBEDDING, [config.V, config.d]]];
  config.blocks.forEach((block, i) => {
    const prefix = blockPrefix(i);
    tensors.push([`${prefix}norm.weight`, [config.d]]);
    for (const [name, shape] of architectureOf(block).tensors(block)) tensors.push([prefix + name, shape]);
  });
  tensors.push([FINAL_NORM, [config.d]]);
  if (!config.tied) tensors.push([HEAD, [config.V, config.d]]);
  return new Map(tensors);
}

/** What GPTQ, AWQ, bitsandbytes, HQQ and others store in the place of a weight or beside it. */
const QUANTISED =
  /\.(?:qweight|qzeros|scales|g_idx|SCB|absmax|quant_map|quant_state\.\w+|W_q|weight_(?:packed|scale|zero_point)|weight\.(?:absmax|quant_\w+|nested_\w+))(?:\.|$)/;

const SHOWN = 3;

/** The first few of many, for a sentence. */
export function shortList(faults: readonly string[]): string {
  const rest = faults.length - SHOWN;
  return faults.slice(0, SHOWN).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/**
 * Compares stored shapes with the expected ones.
 * @param outside tensors that are not of the model: they are named where others do not fit
 * @throws InputError, one sentence that names the first few missing, unknown and misshapen tensors
 */
export function checkTensors(
  config: ModelConfig,
  stored: ReadonlyMap<string, Shape>,
  label: string,
  outside: readonly string[] = [],
): void {
  const expected = expectedTensors(config);
  const missing = [...expected.keys()].filter((name) => !stored.has(name));
  const unknown = [...stored.keys()].filter((name) => !expected.has(name));
  const misshapen = [...expected].flatMap(([name, shape]) => {
    const found = stored.get(name);
    return found && found.join() !== shape.join() ? [`${name} [${found}] instead of [${shape}]`] : [];
  });
  if (missing.length + unknown.length + misshapen.length === 0) return;
  unknown.push(...outside);
  const adapters = unknown.some((name) => /\.lora_|\.base_layer\./.test(name));
  if (adapters)
    throw new InputError(
      `${label} holds LoRA adapters beside its weights; merge them first (merge_and_unload() of peft) and save the model again.`,
    );
  if (missing.length > 0 && unknown.some((name) => QUANTISED.test(name)))
    throw new InputError(
      `${label} holds quantised weights (${shortList(unknown.filter((name) => QUANTISED.test(name)))}), which are not read: take the original model, or dequantise it (model.dequantize() of transformers) and save it again.`,
    );
  const faults = [
    missing.length > 0 && `missing: ${shortList(missing)}`,
    unknown.length > 0 && `unknown: ${shortList(unknown)}`,
    misshapen.length > 0 && `of the wrong shape: ${shortList(misshapen)}`,
  ].filter(Boolean);
  const [said, found] = [config.blocks.length, blocksIn(stored.keys())];
  const count =
    said === found
      ? ''
      : ` The config counts ${said} blocks and the weights are of ${found}: mend the one that is wrong.`;
  throw new InputError(`${label}: the weights do not fit the config; tensors ${faults.join('; ')}.${count}`);
}

/** How many blocks there are names of. */
function blocksIn(names: Iterable<string>): number {
  const numbers = [...names].flatMap((name) => /^backbone\.layers\.(\d+)\./.exec(name)?.[1] ?? []);
  return new Set(numbers).size;
}
