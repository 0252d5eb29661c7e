import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';

const CODE = `${ACTIVATIONS}
fn main(index: i32) {
  if (index < uniforms.count) { result[index] = dy[index] * siluSlope(x[index]); }
}`;

/** dy · SiLU'(x), elementwise. Floor: 12 bytes of traffic per element. */
export function siluGrad(backend: Backend, x: tf.TensorInfo, dy: tf.TensorInfo): tf.TensorInfo {
  const count = sizeOf(x.shape);
  return dispatch(backend, {
    name: 'silu grad',
    inputs: { x, dy },
    output: x.shape,
    uniforms: { count },
    threads: 128,
    groups: [groupsFor(count, 128)],
    code: CODE,
  });
}
