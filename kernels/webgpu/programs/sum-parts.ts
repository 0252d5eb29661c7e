import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';

export interface Parts {
  /** Where the first part begins in the source; default 0. */
  readonly offset?: number;
  /** Default 1, which copies a section of the source. */
  readonly parts?: number;
  /** Elements between an element of one part and the same of the next; default all of the result. */
  readonly inner?: number;
  /** What the sum is multiplied by; default 1. */
  readonly scale?: number;
  readonly shape: readonly number[];
}

const CODE = `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let first = uniforms.offset + (index / uniforms.inner) * uniforms.parts * uniforms.inner + index % uniforms.inner;
  var sum = 0.0;
  for (var part = 0; part < uniforms.parts; part++) { sum += source[first + part * uniforms.inner]; }
  result[index] = sum * uniforms.scale;
}`;

/**
 * Adds up partial results that lie in one array as [outer, parts, inner], in their order. Floor: parts + 1 words of traffic
 * per element.
 */
export function sumParts(backend: Backend, source: tf.TensorInfo, what: Parts): tf.TensorInfo {
  const { offset = 0, parts = 1, shape, scale = 1 } = what;
  const count = sizeOf(shape);
  return dispatch(backend, {
    name: 'sum parts',
    inputs: { source },
    output: shape,
    // A section of an array may be all that is read.
    parts: { source: parts * count },
    uniforms: { count, offset, parts, inner: what.inner ?? count },
    floats: { scale },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: CODE,
  });
}
