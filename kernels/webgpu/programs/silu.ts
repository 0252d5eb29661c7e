import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';

const CODE = `${ACTIVATIONS}
fn main(index: i32) {
  if (index < uniforms.count) { result[index] = siluOf(x[index]); }
}`;

/** SiLU(x), elementwise. Floor: 8 bytes of traffic per element. */
export function silu(backend: Backend, x: tf.TensorInfo): tf.TensorInfo {
  const count = sizeOf(x.shape);
  const groups = [groupsFor(count, 128)] as const;
  return dispatch(backend, {
    name: 'silu',
    inputs: { x },
    output: x.shape,
    uniforms: { count },
    threads: 128,
    groups,
    code: CODE,
  });
}
