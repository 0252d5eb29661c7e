import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { type Scan, scanSizes } from './selective-scan';

const code = (reverse: boolean) => `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let channelState = index % (uniforms.E * N);
  let b = index / (uniforms.E * N);
  let rate = A[channelState];
  var h = 0.0;
  for (var i = 0; i < uniforms.chunks; i++) {
    let chunk = b * uniforms.chunks + ${reverse ? 'uniforms.chunks - 1 - i' : 'i'};
    let at = chunk * uniforms.E * N + channelState;
    result[at] = h;
    h = exp(rate * local[uniforms.states + chunk * uniforms.E + channelState / N]) * h + local[at];
  }
}`;

/**
 * The state before each chunk (in `reverse`, the gradient of the state behind it) [B, chunks, E, N], from what
 * {@link selectiveScanState} says of every chunk. A thread follows one state through the chunks.
 * Floor: 8 bytes of traffic and one exponential per chunk and state.
 */
export function selectiveScanCarry(
  backend: Backend,
  scan: Scan,
  local: tf.TensorInfo,
  Q: number,
  reverse = false,
): tf.TensorInfo {
  const { batch, L, E, N } = scanSizes(scan);
  const chunks = groupsFor(L, Q);
  const count = batch * E * N;
  return dispatch(backend, {
    name: `selective scan carry ${reverse ? 'reverse' : ''}`,
    inputs: { A: scan.A, local },
    output: [batch, chunks, E, N],
    constants: { N },
    uniforms: { E, chunks, count, states: count * chunks },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(reverse),
  });
}
