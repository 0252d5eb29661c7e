import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '../program';
import { multiplier, TILE, TILE_PRELUDE, TILE_THREADS } from '../tile';
import { GAP, type TileSums } from './tile-sums';

/** Arrays of one S6 map, as `ops/attention.ts` describes them, and the channels to add up. */
export interface S6Map {
  readonly delta: tf.TensorInfo;
  readonly A: tf.TensorInfo;
  readonly B: tf.TensorInfo;
  readonly C: tf.TensorInfo;
  readonly magnitude: boolean;
  /** The first channel, how many, and into how many partial maps their sum is cut. */
  readonly first: number;
  readonly channels: number;
  readonly splits: number;
}

/** Channels whose gaps are formed at a time, one by each thread. */
const BLOCK = TILE_THREADS;

const code = (magnitude: boolean) => `${TILE_PRELUDE}${GAP}
var<private> sourceTile: i32;
var<private> targetTile: i32;
var<private> channel: i32;
var<private> lane: i32;
var<workgroup> gaps: array<f32, ${BLOCK}>;
var<workgroup> above: u32;
fn targetSide(r: i32, n: i32) -> f32 {
  let i = targetTile * ${TILE} + r;
  if (i >= uniforms.L || n >= N || channel >= uniforms.end) { return 0.0; }
  return C[i * N + n] * exp(A[channel * N + n] * sums[i * uniforms.E + channel]);
}
fn sourceSide(n: i32, c: i32) -> f32 {
  let j = sourceTile * ${TILE} + c;
  if (n >= N || channel >= uniforms.end) { return 0.0; }
  let at = j * uniforms.E + channel;
  return delta[at] * B[j * N + n] * exp(A[channel * N + n] * (gaps[lane] + sums[uniforms.atSuffix + at]));
}
${multiplier({ name: 'pairUp', lhs: 'targetSide', rhs: 'sourceSide', lhsAlongK: true, rhsAlongK: true })}
fn main(index: i32) {
  sourceTile = i32(workgroupId.x);
  targetTile = i32(workgroupId.y);
  if (localIndex == 0u) { above = select(0u, 1u, sourceTile >= targetTile); }
  if (workgroupUniformLoad(&above) == 1u) { return; }
  var sum: array<vec4<f32>, 4>;
  let firstChannel = uniforms.first + i32(workgroupId.z) * uniforms.share;
  for (var base = 0; base < uniforms.share; base += ${BLOCK}) {
    let own = min(firstChannel + base + i32(localIndex), uniforms.E - 1);
    gaps[localIndex] = gapOf(sourceTile, targetTile, own);
    workgroupBarrier();
    for (var at = 0; at < min(${BLOCK}, uniforms.share - base); at++) {
      channel = firstChannel + base + at;
      lane = at;
      ${
        magnitude
          ? `var one = array<vec4<f32>, 4>();
      pairUp(&one, N);
      for (var i = 0; i < 4; i++) { sum[i] += abs(one[i]); }`
          : 'pairUp(&sum, N);'
      }
    }
    workgroupBarrier();
  }
  for (var i = 0; i < 4; i++) {
    let target_ = targetTile * ${TILE} + tileRow() + i;
    for (var j = 0; j < 4; j++) {
      let source = sourceTile * ${TILE} + tileColumn() + j;
      if (target_ < uniforms.L) {
        result[(i32(workgroupId.z) * uniforms.L + target_) * uniforms.L + source] = sum[i][j];
      }
    }
  }
}`;

/**
 * The tiles below the diagonal of partial maps [splits, L, L]: Σ_e Σ_n C_i[n] Δ_j B_j[n] exp(A (S_i − S_j)), where both
 * factors of the decay, up to the target from its tile's start and from the source to there, are at most 1: a product of
 * matrices of inner length E·N.
 * Floor: L²·E·N flops; an exponential for each 32 of its multiply-adds.
 */
export function s6AttentionFar(
  backend: Backend,
  { delta, A, B, C, magnitude, first, channels, splits }: S6Map,
  { packed, tiles, at }: TileSums,
  parts: tf.TensorInfo,
): void {
  const [L, E] = delta.shape;
  dispatch(backend, {
    name: `s6 attention far ${magnitude}`,
    inputs: { delta, A, B, C, sums: packed },
    output: parts,
    constants: { N: A.shape[1] },
    uniforms: {
      L,
      E,
      first,
      end: first + channels,
      share: Math.ceil(channels / splits),
      atSuffix: at.suffix,
      atTotal: at.total,
    },
    threads: TILE_THREADS,
    groups: [tiles - 1, tiles, splits],
    code: code(magnitude),
  });
}
