import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '../program';

const THREADS = 128;

const CODE = `
fn main(index: i32) {
  var loss = 0.0;
  var count = 0.0;
  for (var row = index; row < uniforms.rows; row += ${THREADS}) {
    let label = labels[row];
    if (label >= 0) {
      loss += select(uniforms.NAN, logSumExp[row] - logits[row * uniforms.V + min(label, uniforms.V - 1)], label < uniforms.V);
      count += 1.0;
    }
  }
  let both = total(array(loss, count));
  if (index == 0) {
    result[0] = both[0] / max(1.0, both[1]);
    result[1] = 1.0 / max(1.0, both[1]);
  }
}`;

/**
 * [mean over labelled rows of log Σ exp − logits[label], 1 / number of labelled rows], by one workgroup.
 * A label that is not below V makes the loss NaN. Floor: 12 bytes of traffic per row.
 */
export function meanLoss(
  backend: Backend,
  logits: tf.TensorInfo,
  labels: tf.TensorInfo,
  logSumExp: tf.TensorInfo,
): tf.TensorInfo {
  const [rows, V] = logits.shape;
  return dispatch(backend, {
    name: 'mean loss',
    inputs: { logits, labels, logSumExp },
    output: [2],
    uniforms: { rows, V },
    threads: THREADS,
    reduces: { total: 2 },
    groups: [1],
    code: CODE,
  });
}
