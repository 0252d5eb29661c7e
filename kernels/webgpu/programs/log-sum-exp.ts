import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '../program';

const THREADS = 128;

const CODE = `
fn main(index: i32) {
  let row = index / ${THREADS};
  let me = i32(localIndex);
  // The lowest float32 instead of -inf: a difference of two infinities is no number.
  var top = -3.4e38;
  var sum = 0.0;
  if (row < uniforms.rows) {
    for (var v = me; v < uniforms.V; v += ${THREADS}) {
      let x = logits[row * uniforms.V + v];
      let higher = max(top, x);
      sum = sum * exp(top - higher) + exp(x - higher);
      top = higher;
    }
  }
  let highestOfAll = highest(array(top))[0];
  let sumOfAll = total(array(sum * exp(top - highestOfAll)))[0];
  if (me == 0 && row < uniforms.rows) { result[row] = highestOfAll + log(sumOfAll); }
}`;

/** log Σ_v exp(logits[m,v]) of every row [M], in one pass. Floor: 4 bytes of traffic per logit. */
export function logSumExp(backend: Backend, logits: tf.TensorInfo): tf.TensorInfo {
  const [rows, V] = logits.shape;
  return dispatch(backend, {
    name: 'log sum exp',
    inputs: { logits },
    output: [rows],
    uniforms: { rows, V },
    threads: THREADS,
    reduces: { highest: 1, total: 1 },
    groups: [rows],
    code: CODE,
  });
}
