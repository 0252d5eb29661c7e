import * as tf from '@tensorflow/tfjs';
import type { Model } from '@/lib/models';
import { type BlockCache, blockCache, captureNames } from './s6Inputs';

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
