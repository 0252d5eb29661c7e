import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { columnAt } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';
import { rateOf, type Scan, scanColumns, stepOf } from './selective-scan';

const code = (scan: Scan) => `${ACTIVATIONS}${stepOf(scan)}
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let e = index % uniforms.E;
  let row = index / uniforms.E;
  let step = stepAt(index);
  let write = step * x[index];
  var sum = D[e] * x[index];
  for (var n = 0; n < N; n++) {
    let at = index * N + n;
    let h = ${scan.state ? `exp(step * ${rateOf(scan, 'e * N + n')}) * state[at]` : '0.0'} + write * ${columnAt('B', 'row', 'n')};
    result[uniforms.count + at] = h;
    sum += ${columnAt('C', 'row', 'n')} * h;
  }
  result[index] = sum * siluOf(${columnAt('z', 'row', 'e')});
}`;

/**
 * One token of a selective scan with D and gate: y [rows,E], then the state behind it [rows,E,N], in one array. A thread has a
 * channel. Floor: one exponential and 8 bytes of traffic a state.
 */
export function selectiveStep(backend: Backend, scan: Scan, rows: number): tf.TensorInfo {
  const { x, delta, A, B, C, D, z, state, softplus, logarithmic = false } = scan;
  const [E, N] = A.shape;
  const count = rows * E;
  return dispatch(backend, {
    name: 'selective step',
    inputs: { x, delta, A: state && A, B, C, D, z, state },
    output: [count * (N + 1)],
    parts: { B: rows * N, C: rows * N, z: count },
    constants: { N, softplus, logarithmic },
    uniforms: { E, count, ...scanColumns(scan, ['z', 'B', 'C']) },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(scan),
  });
}
