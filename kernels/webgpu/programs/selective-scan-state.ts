import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { columnAt } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';
import { rateOf, type Scan, type ScanGradient, scanColumns, scanSizes, stepOf } from './selective-scan';

const code = (scan: Scan, gradient: ScanGradient | undefined) => `${ACTIVATIONS}${stepOf(scan)}
fn main(index: i32) {
  let e = i32(workgroupId.x) * 64 + i32(localIndex);
  let b = i32(workgroupId.z);
  let chunk = i32(workgroupId.y);
  if (e >= uniforms.E) { return; }
  var h: array<f32, N>;
  var rates: array<f32, N>;
  for (var n = 0; n < N; n++) { rates[n] = ${rateOf(scan, 'e * N + n')}; }
  var elapsed = 0.0;
  for (var i = 0; i < Q; i++) {
    let t = chunk * Q + ${gradient ? 'Q - 1 - i' : 'i'};
    if (t >= uniforms.L) { continue; }
    let row = b * uniforms.L + t;
    let at = row * uniforms.E + e;
    let step = stepAt(at);
    elapsed += step;
    ${gradient ? `let du = dy[at]${scan.z ? ' * siluOf(z[at])' : ''};` : 'let write = step * x[at];'}
    for (var n = 0; n < N; n++) {
      let decay = exp(step * rates[n]);
      ${gradient ? 'h[n] = decay * (h[n] + C[row * N + n] * du);' : `h[n] = decay * h[n] + write * ${columnAt('B', 'row', 'n')};`}
    }
  }
  let unit = (b * uniforms.chunks + chunk) * uniforms.E + e;
  for (var n = 0; n < N; n++) { result[unit * N + n] = h[n]; }
  result[uniforms.states + unit] = elapsed;
}`;

/**
 * What each chunk of Q tokens adds to the state behind it, starting from zero: [B, chunks, E, N], then the chunk's ΣΔ
 * [B, chunks, E]. With `gradient`, what it adds to the gradient of the state before it. A workgroup has 64 channels of one
 * chunk, a thread all N states of a channel.
 * Floor: one exponential and two multiply-adds a state update; 8 bytes of traffic per token and channel.
 */
export function selectiveScanState(backend: Backend, scan: Scan, Q: number, gradient?: ScanGradient): tf.TensorInfo {
  const { x, delta, A, B, C, z, softplus, logarithmic = false } = scan;
  const { batch, L, E, N } = scanSizes(scan);
  const chunks = groupsFor(L, Q);
  const states = batch * chunks * E * N;
  return dispatch(backend, {
    name: `selective scan state ${gradient ? 'grad' : ''}`,
    inputs: gradient ? { delta, A, C, z, dy: gradient.dy } : { x, delta, A, B },
    output: [states + batch * chunks * E],
    parts: { B: batch * L * N },
    constants: { N, Q, softplus, logarithmic },
    uniforms: { L, E, chunks, states, ...(gradient ? {} : scanColumns(scan, ['B'])) },
    threads: 64,
    groups: [groupsFor(E, 64), chunks, batch],
    code: code(scan, gradient),
  });
}
