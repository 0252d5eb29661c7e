import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch } from '../program';

const THREADS = 128;

const CODE = `
var<workgroup> tops: array<f32, ${THREADS}>;
var<workgroup> sums: array<f32, ${THREADS}>;
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
  tops[me] = top;
  sums[me] = sum;
  for (var half = ${THREADS / 2}; half > 0; half /= 2) {
    workgroupBarrier();
    if (me < half) {
      let higher = max(tops[me], tops[me + half]);
      sums[me] = sums[me] * exp(tops[me] - higher) + sums[me + half] * exp(tops[me + half] - higher);
      tops[me] = higher;
    }
  }
  if (me == 0 && row < uniforms.rows) { result[row] = tops[0] + log(sums[0]); }
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
    groups: [rows],
    code: CODE,
  });
}
