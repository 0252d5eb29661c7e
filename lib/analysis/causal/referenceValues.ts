import * as tf from '@tensorflow/tfjs';
import type { Model } from '@/lib/models';
import { Random } from '@/lib/random';
import { type Baseline, captureBlock } from './continuation';

export const METHODS = ['zero', 'mean', 'resample'] as const;

export type Method = (typeof METHODS)[number];

/**
 * What hook points of one block are replaced by, given a name and the width of its last axis: zeros [1,1,W], the mean over
 * all tokens of the reference prompts [1,1,W], or for each of L tokens the row of a random one of them [1,L,W].
 */
export function referenceValues(
  model: Model,
  reference: readonly Baseline[],
  {
    layer,
    names,
    method,
    seed,
    L,
  }: { layer: number; names: readonly string[]; method: Method; seed: number; L: number },
): (name: string, width: number) => tf.Tensor {
  if (method === 'zero') return (_, width) => tf.zeros([1, 1, width]);
  const rows = new Map<string, Float32Array[]>();
  for (const baseline of reference)
    for (const [name, { shape, data }] of captureBlock(model, baseline, layer, names)) {
      const width = shape[2];
      const list = rows.get(name) ?? [];
      for (let t = 0; t < shape[1]; t++) list.push(data.subarray(t * width, (t + 1) * width));
      rows.set(name, list);
    }
  // One draw for all points of the block, so that two branches of a token stay together.
  const count = reference.reduce((sum, { L: length }) => sum + length, 0);
  const random = new Random(seed + layer * 0x9e3779b1);
  const drawn = Array.from({ length: L }, () => random.integer(0, count - 1));
  return (name, width) => {
    const list = rows.get(name) as Float32Array[];
    if (method === 'mean') return tf.tensor3d(meanOf(list, width), [1, 1, width]);
    const values = new Float32Array(L * width);
    drawn.forEach((place, t) => {
      values.set(list[place], t * width);
    });
    return tf.tensor3d(values, [1, L, width]);
  };
}

function meanOf(rows: readonly Float32Array[], width: number): Float32Array {
  const sum = new Float64Array(width);
  for (const row of rows) for (let c = 0; c < width; c++) sum[c] += row[c];
  return Float32Array.from(sum, (value) => value / rows.length);
}
