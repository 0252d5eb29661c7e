import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { TILE } from '../tile';

/** Sums of Δ within tiles of 32 tokens, and where they lie in the packed array. */
export interface TileSums {
  readonly packed: tf.TensorInfo;
  readonly tiles: number;
  readonly at: Readonly<Record<'suffix' | 'total', number>>;
}

const CODE = `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let e = index % uniforms.E;
  let first = index / uniforms.E * ${TILE};
  let last = min(first + ${TILE}, uniforms.L) - 1;
  var sum = 0.0;
  for (var t = first; t <= last; t++) {
    sum += delta[t * uniforms.E + e];
    result[t * uniforms.E + e] = sum;
  }
  result[uniforms.atTotal + index] = sum;
  sum = 0.0;
  for (var t = last; t >= first; t--) {
    result[uniforms.atSuffix + t * uniforms.E + e] = sum;
    sum += delta[t * uniforms.E + e];
  }
}`;

/** WGSL: the sum of Δ over the whole tiles between the tiles `source` and `target`, for channel e. */
export const GAP = `
fn gapOf(source: i32, target_: i32, e: i32) -> f32 {
  var sum = 0.0;
  for (var tile = source + 1; tile < target_; tile++) { sum += sums[uniforms.atTotal + tile * uniforms.E + e]; }
  return sum;
}`;

/**
 * For Δ [L,E]: from the start of its tile up to and with each token [L,E], from behind it to the end of its tile [L,E], and
 * the whole tile [tiles, E]. Sums outward from the borders of tiles keep exponents exact without differences.
 * Floor: 16 bytes of traffic per element.
 */
export function tileSums(backend: Backend, delta: tf.TensorInfo): TileSums {
  const [L, E] = delta.shape;
  const tiles = groupsFor(L, TILE);
  const at = { suffix: L * E, total: 2 * L * E };
  const packed = dispatch(backend, {
    name: 'tile sums',
    inputs: { delta },
    output: [2 * L * E + tiles * E],
    uniforms: { L, E, count: tiles * E, atSuffix: at.suffix, atTotal: at.total },
    threads: 64,
    groups: [groupsFor(tiles * E, 64)],
    code: CODE,
  });
  return { packed, tiles, at };
}
