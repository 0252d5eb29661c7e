import * as tf from '@tensorflow/tfjs';
import { type BlockCache, blockCache, captureNames, layersOf as requireLayers } from '@/lib/analysis';
import { type Checkpoint, InputError, type ModelConfig } from '@/lib/checkpoint';
import type { Model } from '@/lib/models';
import { type InputOptions, readTokens, requireEqualLengths } from './input';
import { indices } from './parse';

/** One row of the input. @throws InputError where there is no such row. */
export async function rowOf(options: InputOptions, index: number, checkpoint: Checkpoint): Promise<number[]> {
  return rowAt(requireEqualLengths(await readTokens(options, checkpoint)), index);
}

/** The row of `--batch-index`. @throws InputError where there is no such row. */
export function rowAt(rows: readonly number[][], index: number): number[] {
  const row = rows[index];
  if (row) return row;
  throw new InputError(`--batch-index ${index} is not there: rows go from 0 to ${rows.length - 1}.`);
}

/** The layers of `--layers`, in order. @throws InputError where the model lacks one. */
export const layersOf = (text: string, config: ModelConfig): readonly number[] =>
  requireLayers({ config }, text === 'all' ? undefined : indices('--layers')(text));

/** Runs the blocks up to the last layer that is asked for and yields what each one left; holds one at a time. */
export function* capturedBlocks(
  model: Model,
  row: number[],
  layers: readonly number[],
): Generator<BlockCache, void, void> {
  const kept = new Map<string, tf.Tensor>();
  const keep = (value: tf.Tensor, name: string) => void kept.set(name, tf.keep(value.clone()));
  const names = layers.flatMap((layer) => captureNames(model.config, layer));
  const last = Math.max(...layers);
  const release = () => {
    for (const tensor of kept.values()) tensor.dispose();
    kept.clear();
  };
  for (const { index } of model.blocksOf(
    [row],
    names.map((name) => [name, keep] as const),
  )) {
    if (layers.includes(index)) {
      const block = blockCache(model.config, index, kept);
      release();
      yield block;
    }
    if (index === last) return;
  }
}
