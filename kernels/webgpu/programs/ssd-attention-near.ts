import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { TILE, TILE_PRELUDE, TILE_THREADS } from '../tile';
import { SSD_AGREEMENT, type SsdMap, ssdMapUniforms } from './ssd-attention-far';

const code = (magnitude: boolean) => `${TILE_PRELUDE}${SSD_AGREEMENT}
// Weights of the two halves of the heads, [2, target, source].
var<workgroup> weights: array<f32, ${2 * TILE * TILE}>;
fn main(index: i32) {
  sourceTile = i32(workgroupId.x);
  targetTile = sourceTile;
  let lane = i32(localIndex);
  let column = lane % ${TILE};
  let start = sourceTile * ${TILE};
  let perGroup = uniforms.E / uniforms.G;
  var sum: array<vec4<f32>, 4>;
  for (var g = uniforms.firstGroup; g < uniforms.endGroup; g++) {
    group = g;
    var weight = array<f32, ${TILE}>();
    if (start + column < uniforms.L) {
      let end = min((g + 1) * perGroup, uniforms.end);
      for (var head = max(g * perGroup, uniforms.first) + lane / ${TILE}; head < end; head += 2) {
        let write = ${magnitude ? 'abs(delta[(start + column) * uniforms.E + head])' : 'delta[(start + column) * uniforms.E + head]'};
        var elapsed = 0.0;
        for (var r = column; r < min(${TILE}, uniforms.L - start); r++) {
          if (r > column) { elapsed += delta[(start + r) * uniforms.E + head]; }
          weight[r] += write * exp(A[head] * elapsed);
        }
      }
    }
    for (var r = 0; r < ${TILE}; r++) { weights[lane / ${TILE} * ${TILE * TILE} + r * ${TILE} + column] = weight[r]; }
    var agreement = array<vec4<f32>, 4>();
    agree(&agreement, uniforms.N);
    workgroupBarrier();
    for (var i = 0; i < 4; i++) {
      for (var j = 0; j < 4; j++) {
        let at = (tileRow() + i) * ${TILE} + tileColumn() + j;
        sum[i][j] += ${magnitude ? 'abs(agreement[i][j])' : 'agreement[i][j]'} * (weights[at] + weights[${TILE * TILE} + at]);
      }
    }
    workgroupBarrier();
  }
  for (var i = 0; i < 4; i++) {
    let target_ = start + tileRow() + i;
    for (var j = 0; j < 4; j++) {
      let source = start + tileColumn() + j;
      if (target_ < uniforms.L && source < uniforms.L) { result[target_ * uniforms.L + source] = sum[i][j] * uniforms.scale; }
    }
  }
}`;

/**
 * The tiles on the diagonal of the SSD map, into `map`: decays by running sums from each source on, two threads a column.
 * Floor: 16·L·H exponentials and 32·L·G·N multiply-adds.
 */
export function ssdAttentionNear(backend: Backend, map: SsdMap, output: tf.TensorInfo): void {
  const { delta, A, B, C, magnitude, heads } = map;
  dispatch(backend, {
    name: `ssd attention near ${magnitude}`,
    inputs: { delta, A, B, C },
    output,
    uniforms: ssdMapUniforms(map),
    floats: { scale: 1 / heads },
    threads: TILE_THREADS,
    groups: [groupsFor(delta.shape[0], TILE)],
    code: code(magnitude),
  });
}
