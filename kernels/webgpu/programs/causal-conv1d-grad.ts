import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';
import { type Convolution, inputColumns, preactivation } from './causal-conv1d';

const code = (what: Convolution) => `${what.silu ? ACTIVATIONS + preactivation(what) : ''}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let e = index % uniforms.E;
  let row = index / uniforms.E;
  let b = row / uniforms.L;
  let s = row % uniforms.L;
  var sum = 0.0;
  for (var t = s; t < min(s + K, uniforms.L); t++) {
    let dc = dy[(b * uniforms.L + t) * uniforms.E + e]${what.silu ? ' * siluSlope(preactivation(b, t, e))' : ''};
    sum += weight[e * K + s - t + K - 1] * dc;
  }
  result[index] = sum;
}`;

/**
 * dx_s = Σ_k weight[k] dc_{s+K−1−k}, dc = dy · SiLU'(c). Floor: 12 bytes of traffic per element; with SiLU each c is formed
 * K times, from the cache.
 */
export function causalConv1dGrad(backend: Backend, what: Convolution, dy: tf.TensorInfo): tf.TensorInfo {
  const { x, weight, bias, silu } = what;
  const [, L, E] = x.shape;
  const count = sizeOf(x.shape);
  return dispatch(backend, {
    name: 'causal conv1d grad',
    inputs: silu ? { x, weight, bias, dy } : { weight, dy },
    output: x.shape,
    constants: { K: weight.shape[2], silu },
    uniforms: { L, E, count, ...inputColumns(what) },
    threads: 128,
    groups: [groupsFor(count, 128)],
    code: code(what),
  });
}
