import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';

const CODE = `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let row = index / uniforms.V;
  let label = labels[row];
  if (label < 0) { result[index] = 0.0; return; }
  let probability = exp(logits[index] - logSumExp[row]);
  result[index] = dy[0] * loss[1] * (probability - select(0.0, 1.0, index % uniforms.V == label));
}`;

/** (softmax − onehot) · dy / count, zero in rows without a label; `loss` is what `meanLoss` returned. Floor: 8 bytes of traffic per logit. */
export function crossEntropyGrad(
  backend: Backend,
  inputs: Readonly<Record<'logits' | 'labels' | 'logSumExp' | 'loss' | 'dy', tf.TensorInfo>>,
): tf.TensorInfo {
  const count = sizeOf(inputs.logits.shape);
  return dispatch(backend, {
    name: 'cross entropy grad',
    inputs,
    output: inputs.logits.shape,
    uniforms: { count, V: inputs.logits.shape[1] },
    threads: 128,
    groups: [groupsFor(count, 128)],
    code: CODE,
  });
}
