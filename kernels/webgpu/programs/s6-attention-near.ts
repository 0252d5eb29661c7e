import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { TILE, TILE_THREADS } from '../tile';
import type { S6Map } from './s6-attention-far';

const code = (magnitude: boolean) => `
var<workgroup> other: array<f32, ${TILE * TILE}>;
fn main(index: i32) {
  let lane = i32(localIndex);
  let column = lane % ${TILE};
  let start = i32(workgroupId.x) * ${TILE};
  let j = start + column;
  var sum: array<f32, ${TILE}>;
  let firstChannel = uniforms.first + i32(workgroupId.y) * uniforms.share;
  let end = min(firstChannel + uniforms.share, uniforms.end);
  if (j < uniforms.L) {
    for (var e = firstChannel + lane / ${TILE}; e < end; e += 2) {
      var kernel: array<f32, N>;
      let write = delta[j * uniforms.E + e];
      for (var n = 0; n < N; n++) { kernel[n] = write * B[j * N + n]; }
      for (var r = column; r < min(${TILE}, uniforms.L - start); r++) {
        let i = start + r;
        let step = select(0.0, delta[i * uniforms.E + e], r > column);
        var alpha = 0.0;
        for (var n = 0; n < N; n++) {
          kernel[n] *= exp(step * A[e * N + n]);
          alpha += C[i * N + n] * kernel[n];
        }
        sum[r] += ${magnitude ? 'abs(alpha)' : 'alpha'};
      }
    }
  }
  if (lane >= ${TILE}) { for (var r = 0; r < ${TILE}; r++) { other[r * ${TILE} + column] = sum[r]; } }
  workgroupBarrier();
  if (lane >= ${TILE} || j >= uniforms.L) { return; }
  for (var r = column; r < min(${TILE}, uniforms.L - start); r++) {
    let row = i32(workgroupId.y) * uniforms.L + start + r;
    result[row * uniforms.L + j] = sum[r] + other[r * ${TILE} + column];
  }
}`;

/**
 * The tiles on the diagonal of partial maps [splits, L, L], by the recurrence from each source on: two threads a column share
 * the channels. Floor: 16·L·E·N exponentials and three times as many multiply-adds.
 */
export function s6AttentionNear(backend: Backend, map: S6Map, parts: tf.TensorInfo): void {
  const { delta, A, B, C, magnitude, first, channels, splits } = map;
  const [L, E] = delta.shape;
  dispatch(backend, {
    name: `s6 attention near ${magnitude}`,
    inputs: { delta, A, B, C },
    output: parts,
    constants: { N: A.shape[1] },
    uniforms: { L, E, first, end: first + channels, share: Math.ceil(channels / splits) },
    threads: TILE_THREADS,
    groups: [groupsFor(L, TILE), splits],
    code: code(magnitude),
  });
}
