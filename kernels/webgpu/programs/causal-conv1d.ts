import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { alone, type Columns, columnAt, columnUniforms } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';

export interface Convolution {
  readonly x: tf.TensorInfo;
  readonly weight: tf.TensorInfo;
  readonly bias?: tf.TensorInfo;
  readonly silu: boolean;
  /** Where x [B,L,E] lies; default an array of its own. */
  readonly columns?: Columns;
  /** The K−1 inputs before the first [B,K−1,E], for passes forward; 0 where absent. */
  readonly past?: tf.TensorInfo;
}

export function convolutionSizes({ x, weight }: Convolution): Readonly<Record<'batch' | 'L' | 'E' | 'K', number>> {
  const [batch, L] = x.shape;
  return { batch, L, E: weight.shape[0], K: weight.shape[2] };
}

/** Uniforms that `preactivation` reads. */
export const inputColumns = ({ weight, columns }: Convolution): Record<string, number> =>
  columnUniforms('x', columns ?? alone(weight.shape[0]));

/** WGSL: `inputAt(b, t, e)`, an input of these tokens or, for t < 0, of those before them. */
export const inputAt = ({ past }: Convolution): string => `
fn inputAt(b: i32, t: i32, e: i32) -> f32 {
  if (t < 0) { return ${past ? 'past[(b * (K - 1) + K - 1 + t) * uniforms.E + e]' : '0.0'}; }
  return ${columnAt('x', 'b * uniforms.L + t', 'e')};
}`;

/** WGSL: `preactivation(b, t, e)`, the convolution at one place, from the arrays x, weight, bias and past. */
export const preactivation = (what: Convolution): string => `${inputAt(what)}
fn preactivation(b: i32, t: i32, e: i32) -> f32 {
  var sum = ${what.bias ? 'bias[e]' : '0.0'};
  for (var k = ${what.past ? '0' : 'max(0, K - 1 - t)'}; k < K; k++) {
    sum += weight[e * K + k] * inputAt(b, t - K + 1 + k, e);
  }
  return sum;
}`;

const code = (what: Convolution) => `${ACTIVATIONS}${preactivation(what)}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let row = index / uniforms.E;
  let c = preactivation(row / uniforms.L, row % uniforms.L, index % uniforms.E);
  result[index] = ${what.silu ? 'siluOf(c)' : 'c'};
}`;

/** c_t[e] = bias[e] + Σ_k weight[e,k] x_{t−K+1+k}[e], and SiLU. Floor: 8 bytes of traffic per element; K loads hit the cache. */
export function causalConv1d(backend: Backend, what: Convolution): tf.TensorInfo {
  const { x, weight, bias, silu, past } = what;
  const { batch, L, E, K } = convolutionSizes(what);
  const count = batch * L * E;
  return dispatch(backend, {
    name: 'causal conv1d',
    inputs: { x, weight, bias, past },
    output: [batch, L, E],
    parts: { x: count },
    constants: { K, silu },
    uniforms: { L, E, count, ...inputColumns(what) },
    threads: 128,
    groups: [groupsFor(count, 128)],
    code: code(what),
  });
}
