import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';

const CODE = `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  var sum = 0.0;
  if (index % uniforms.L <= index / uniforms.L) {
    for (var part = 0; part < uniforms.parts; part++) { sum += source[part * uniforms.count + index]; }
  }
  result[index] = sum * uniforms.scale;
}`;

/** Adds up partial maps [parts, L, L], times `scale`, with zeros above the diagonal. Floor: parts + 1 words of traffic per element. */
export function causalSum(backend: Backend, source: tf.TensorInfo, scale: number): tf.TensorInfo {
  const [parts, L] = source.shape;
  return dispatch(backend, {
    name: 'causal sum',
    inputs: { source },
    output: [L, L],
    uniforms: { count: L * L, L, parts },
    floats: { scale },
    threads: 128,
    groups: [groupsFor(L * L, 128)],
    code: CODE,
  });
}
