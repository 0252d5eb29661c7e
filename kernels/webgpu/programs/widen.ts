import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';

const THREADS = 128;

const WIDEN = 'fn main(index: i32) { if (index < uniforms.count) { result[index] = weightValue(index); } }';

/** A weight of 16 bits as float32, for programs that read nothing else. Floor: 6 bytes of traffic per element. */
export function widen(backend: Backend, weight: tf.TensorInfo): tf.TensorInfo {
  const count = sizeOf(weight.shape);
  return dispatch(backend, {
    name: 'widen',
    inputs: { weight },
    weight: 'weight',
    output: weight.shape,
    uniforms: { count },
    threads: THREADS,
    groups: [groupsFor(count, THREADS)],
    code: WIDEN,
  });
}

const ROWS = `
fn main(index: i32) {
  if (index < uniforms.count) {
    result[index] = weightValue(rows[index / uniforms.width] * uniforms.width + index % uniforms.width);
  }
}`;

/** Rows of a weight of 16 bits as float32 [..., width], for embeddings. Floor: 6 bytes of traffic per element of the result. */
export function widenRows(backend: Backend, weight: tf.TensorInfo, rows: tf.TensorInfo): tf.TensorInfo {
  const [, width] = weight.shape;
  const count = sizeOf(rows.shape) * width;
  return dispatch(backend, {
    name: 'widen rows',
    inputs: { weight, rows },
    weight: 'weight',
    output: [...rows.shape, width],
    parts: { weight: count },
    uniforms: { count, width },
    threads: THREADS,
    groups: [groupsFor(count, THREADS)],
    code: ROWS,
  });
}
