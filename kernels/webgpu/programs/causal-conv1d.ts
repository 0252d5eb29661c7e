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
}

/** Uniforms that `preactivation` reads. */
export const inputColumns = ({ weight, columns }: Convolution): Record<string, number> =>
  columnUniforms('x', columns ?? alone(weight.shape[0]));

/** `preactivation(b, t, e)`, the convolution at one place, from the arrays x, weight and bias. */
export const preactivation = (hasBias: boolean) => `
fn preactivation(b: i32, t: i32, e: i32) -> f32 {
  var sum = ${hasBias ? 'bias[e]' : '0.0'};
  for (var k = max(0, K - 1 - t); k < K; k++) {
    sum += weight[e * K + k] * ${columnAt('x', 'b * uniforms.L + t - K + 1 + k', 'e')};
  }
  return sum;
}`;

const code = ({ bias, silu }: Convolution) => `${ACTIVATIONS}${preactivation(bias !== undefined)}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let row = index / uniforms.E;
  let c = preactivation(row / uniforms.L, row % uniforms.L, index % uniforms.E);
  result[index] = ${silu ? 'siluOf(c)' : 'c'};
}`;

/** c_t[e] = bias[e] + Σ_k weight[e,k] x_{t−K+1+k}[e], and SiLU. Floor: 8 bytes of traffic per element; K loads hit the cache. */
export function causalConv1d(backend: Backend, what: Convolution): tf.TensorInfo {
  const { x, weight, bias, silu } = what;
  const [batch, L] = x.shape;
  const E = weight.shape[0];
  const count = batch * L * E;
  return dispatch(backend, {
    name: 'causal conv1d',
    inputs: { x, weight, bias },
    output: [batch, L, E],
    parts: { x: count },
    constants: { K: weight.shape[2], silu },
    uniforms: { L, E, count, ...inputColumns(what) },
    threads: 128,
    groups: [groupsFor(count, 128)],
    code: code(what),
  });
}
