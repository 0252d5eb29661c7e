import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { type Convolution, convolutionSizes, inputAt, inputColumns } from './causal-conv1d';

const code = (what: Convolution) => `${inputAt(what)}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let row = index / uniforms.E;
  result[index] = inputAt(row / (K - 1), uniforms.L - K + 1 + row % (K - 1), index % uniforms.E);
}`;

/** The K−1 inputs of a convolution before the token behind these, [B,K−1,E]. Floor: 8·(K − 1) bytes of traffic per channel. */
export function pastInputs(backend: Backend, what: Convolution): tf.TensorInfo {
  const { x, past } = what;
  const { batch, L, E, K } = convolutionSizes(what);
  const count = batch * (K - 1) * E;
  return dispatch(backend, {
    name: 'past inputs',
    inputs: { x, past },
    output: [batch, K - 1, E],
    parts: { x: batch * Math.min(L, K - 1) * E, past: batch * Math.max(0, K - 1 - L) * E },
    constants: { K },
    uniforms: { L, E, count, ...inputColumns(what) },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(what),
  });
}
