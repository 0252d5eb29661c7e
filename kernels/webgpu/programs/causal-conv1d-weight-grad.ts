import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Backend, dispatch, groupsFor } from '../program';
import { type Convolution, inputColumns, preactivation } from './causal-conv1d';

/** Tokens whose products one thread adds up. */
const TOKENS = 32;

const code = (what: Convolution) => `${what.silu ? ACTIVATIONS + preactivation(what) : ''}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let e = index % uniforms.E;
  let piece = index / uniforms.E;
  let first = piece * ${TOKENS};
  var sums: array<f32, K + 1>;
  for (var row = first; row < min(first + ${TOKENS}, uniforms.rows); row++) {
    let t = row % uniforms.L;
    let dc = dy[row * uniforms.E + e]${what.silu ? ' * siluSlope(preactivation(row / uniforms.L, t, e))' : ''};
    for (var k = max(0, K - 1 - t); k < K; k++) { sums[k] += dc * x[(row - K + 1 + k) * uniforms.E + e]; }
    sums[K] += dc;
  }
  let weights = uniforms.count * K;
  for (var k = 0; k < K; k++) { result[index * K + k] = sums[k]; }
  result[weights + index] = sums[K];
}`;

/**
 * Partial sums over 32 tokens each of dweight[e,k] = Σ_t dc_t x_{t−K+1+k} and dbias[e] = Σ_t dc_t, in one array:
 * [pieces, E, K], then [pieces, E]. Floor: 8 bytes of traffic per element of x.
 */
export function causalConv1dWeightGrad(
  backend: Backend,
  what: Convolution,
  dy: tf.TensorInfo,
): { readonly partial: tf.TensorInfo; readonly pieces: number } {
  const { x, weight, bias, silu } = what;
  const [batch, L, E] = x.shape;
  const K = weight.shape[2];
  const pieces = groupsFor(batch * L, TOKENS);
  const count = pieces * E;
  const partial = dispatch(backend, {
    name: 'causal conv1d weight grad',
    inputs: silu ? { x, weight, bias, dy } : { x, dy },
    output: [count * (K + 1)],
    constants: { K, silu },
    uniforms: { L, E, rows: batch * L, count, ...inputColumns(what) },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(what),
  });
  return { partial, pieces };
}
