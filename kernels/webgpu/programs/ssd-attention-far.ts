import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '../program';
import { multiplier, TILE, TILE_PRELUDE, TILE_THREADS } from '../tile';
import { GAP, type TileSums } from './tile-sums';

/** Arrays of one SSD map, as `ops/attention.ts` describes them, and the heads to add up. */
export interface SsdMap {
  readonly delta: tf.TensorInfo;
  readonly A: tf.TensorInfo;
  readonly B: tf.TensorInfo;
  readonly C: tf.TensorInfo;
  readonly magnitude: boolean;
  readonly first: number;
  readonly heads: number;
}

/** `agree(&sum, N)`: C_i·B_j of the tile's targets and sources in the current group. */
export const SSD_AGREEMENT = `
var<private> sourceTile: i32;
var<private> targetTile: i32;
var<private> group: i32;
fn targetAt(r: i32, n: i32) -> f32 {
  let i = targetTile * ${TILE} + r;
  if (i >= uniforms.L || n >= uniforms.N) { return 0.0; }
  return C[(i * uniforms.G + group) * uniforms.N + n];
}
fn sourceAt(n: i32, c: i32) -> f32 {
  let j = sourceTile * ${TILE} + c;
  if (j >= uniforms.L || n >= uniforms.N) { return 0.0; }
  return B[(j * uniforms.G + group) * uniforms.N + n];
}
${multiplier({ name: 'agree', lhs: 'targetAt', rhs: 'sourceAt', lhsAlongK: true, rhsAlongK: true })}`;

const code = (magnitude: boolean) => `${TILE_PRELUDE}${GAP}${SSD_AGREEMENT}
var<workgroup> above: u32;
fn headOf(k: i32) -> i32 { return group * (uniforms.E / uniforms.G) + k; }
fn chosen(head: i32) -> bool { return head >= uniforms.first && head < uniforms.end && head / (uniforms.E / uniforms.G) == group; }
fn decayTo(r: i32, k: i32) -> f32 {
  let i = targetTile * ${TILE} + r;
  let head = headOf(k);
  if (i >= uniforms.L || !chosen(head)) { return 0.0; }
  return exp(A[head] * sums[i * uniforms.E + head]);
}
fn decayFrom(k: i32, c: i32) -> f32 {
  let head = headOf(k);
  if (!chosen(head)) { return 0.0; }
  let at = (sourceTile * ${TILE} + c) * uniforms.E + head;
  let step = ${magnitude ? 'abs(delta[at])' : 'delta[at]'};
  return step * exp(A[head] * (gapOf(sourceTile, targetTile, head) + sums[uniforms.atSuffix + at]));
}
${multiplier({ name: 'decay', lhs: 'decayTo', rhs: 'decayFrom', lhsAlongK: true, rhsAlongK: true })}
fn main(index: i32) {
  sourceTile = i32(workgroupId.x);
  targetTile = i32(workgroupId.y);
  if (localIndex == 0u) { above = select(0u, 1u, sourceTile > targetTile) + select(0u, 2u, sourceTile == targetTile); }
  let place = workgroupUniformLoad(&above);
  if (place == 2u) { return; }
  var sum: array<vec4<f32>, 4>;
  if (place == 0u) {
    for (var g = uniforms.firstGroup; g < uniforms.endGroup; g++) {
      group = g;
      var agreement = array<vec4<f32>, 4>();
      var weight = array<vec4<f32>, 4>();
      agree(&agreement, uniforms.N);
      decay(&weight, uniforms.E / uniforms.G);
      for (var i = 0; i < 4; i++) { sum[i] += ${magnitude ? 'abs(agreement[i])' : 'agreement[i]'} * weight[i]; }
    }
  }
  for (var i = 0; i < 4; i++) {
    let target_ = targetTile * ${TILE} + tileRow() + i;
    for (var j = 0; j < 4; j++) {
      let source = sourceTile * ${TILE} + tileColumn() + j;
      if (target_ < uniforms.L && source < uniforms.L) { result[target_ * uniforms.L + source] = sum[i][j] * uniforms.scale; }
    }
  }
}`;

export function ssdMapUniforms({ delta, B, first, heads }: SsdMap) {
  const [L, E] = delta.shape;
  const [, G, N] = B.shape;
  const perGroup = E / G;
  return {
    L,
    E,
    G,
    N,
    first,
    end: first + heads,
    firstGroup: Math.floor(first / perGroup),
    endGroup: Math.ceil((first + heads) / perGroup),
  };
}

/**
 * The tiles off the diagonal of Σ_h Δ_j (C_i·B_j) exp(A_h ΣΔ) / heads [L,L], into `map`: products of matrices of inner
 * lengths N and heads; zeros above the diagonal. E of the code is the number of heads.
 * Floor: L²·(G·N + H) flops.
 */
export function ssdAttentionFar(
  backend: Backend,
  map: SsdMap,
  { packed, tiles, at }: TileSums,
  output: tf.TensorInfo,
): void {
  const { delta, A, B, C, magnitude, heads } = map;
  dispatch(backend, {
    name: `ssd attention far ${magnitude}`,
    inputs: { delta, A, B, C, sums: packed },
    output,
    uniforms: { ...ssdMapUniforms(map), atSuffix: at.suffix, atTotal: at.total },
    floats: { scale: 1 / heads },
    threads: TILE_THREADS,
    groups: [tiles, tiles],
    code: code(magnitude),
  });
}
