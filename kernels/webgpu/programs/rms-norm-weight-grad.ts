import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Backend, dispatch, groupsFor } from '../program';
import { sizeOf } from '../shapes';
import type { Norm } from './rms-norm';

/** Rows whose products one thread adds up. */
const ROWS = 32;

const code = (gated: boolean) => `${ACTIVATIONS}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let e = index % uniforms.E;
  let first = index / uniforms.E * ${ROWS};
  let group = e / (uniforms.E / uniforms.groups);
  var sum = 0.0;
  for (var row = first; row < min(first + ${ROWS}, uniforms.rows); row++) {
    let at = row * uniforms.E + e;
    sum += dy[at] * x[at]${gated ? ' * siluOf(gate[at])' : ''} * roots[uniforms.offset + row * uniforms.groups + group];
  }
  result[index] = sum;
}`;

/**
 * Partial sums over 32 rows each of dweight[e] = Σ_rows dy · u / rms(u), [pieces, E]; `roots` holds the inverse roots from
 * `offset` on. Floor: 8 bytes of traffic per element of x, 12 with a gate.
 */
export function rmsNormWeightGrad(
  backend: Backend,
  { x, weight, gate, groups }: Norm,
  dy: tf.TensorInfo,
  roots: tf.TensorInfo,
  offset: number,
): { readonly partial: tf.TensorInfo; readonly pieces: number } {
  const E = weight.shape[0];
  const rows = sizeOf(x.shape) / E;
  const pieces = groupsFor(rows, ROWS);
  const partial = dispatch(backend, {
    name: 'rms norm weight grad',
    inputs: { x, gate, dy, roots },
    output: [pieces, E],
    uniforms: { E, groups, rows, offset, count: pieces * E },
    threads: 64,
    groups: [groupsFor(pieces * E, 64)],
    code: code(gate !== undefined),
  });
  return { partial, pieces };
}
