import * as tf from '@tensorflow/tfjs';
import type { TokenSet } from './columns';

/** What one row of a batch has replaced: these positions, of all channels or of some. */
export interface Region {
  /** Spans [start, end) on axis 1. */
  readonly positions: TokenSet;
  /** Indices on the axis of channels; all of them where absent. */
  readonly channels?: readonly number[];
}

/**
 * `source` inside each row's region, `value` elsewhere, bit for bit.
 * @param value [rows,L,…] @param source of a shape that broadcasts to it, such as [1,L,…]
 * @param axis the axis of channels; default the last
 */
export function replaceRegions<T extends tf.Tensor>(
  value: T,
  source: tf.Tensor,
  regions: readonly Region[],
  axis = value.rank - 1,
): T {
  return tf.tidy(() => {
    const [rows, L] = value.shape;
    const width = regions.some(({ channels }) => channels) ? value.shape[axis] : 1;
    const mask = new Uint8Array(rows * L * width);
    regions.forEach(({ positions, channels }, row) => {
      for (const [start, end] of positions)
        for (let t = start; t < Math.min(end, L); t++) {
          const at = (row * L + t) * width;
          if (channels) for (const channel of channels) mask[at + channel] = 1;
          else mask.fill(1, at, at + width);
        }
    });
    const shape = value.shape.map((_, k) => (k === 0 ? rows : k === 1 ? L : k === axis ? width : 1));
    const chosen = spread(tf.tensor(mask, shape, 'bool'), value.shape);
    return tf.where(chosen, spread(source, value.shape), value) as T;
  });
}

/** Repeats axes of size 1 until the shapes agree; an empty axis (the past of a convolution of width 1) stays. */
const spread = (x: tf.Tensor, shape: readonly number[]) =>
  tf.tile(
    x,
    shape.map((size, axis) => (size === x.shape[axis] ? 1 : size / x.shape[axis])),
  );
