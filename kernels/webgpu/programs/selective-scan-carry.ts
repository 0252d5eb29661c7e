import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { rateOf, type Scan, type ScanGradient, scanSizes } from './selective-scan';

const code = (scan: Scan, reverse: boolean, started: boolean) => `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let channelState = index % (uniforms.E * N);
  let b = index / (uniforms.E * N);
  let rate = ${rateOf(scan, 'channelState')};
  var h = ${started ? 'initial[index]' : '0.0'};
  for (var i = 0; i < uniforms.chunks; i++) {
    let chunk = b * uniforms.chunks + ${reverse ? 'uniforms.chunks - 1 - i' : 'i'};
    let at = chunk * uniforms.E * N + channelState;
    result[at] = h;
    h = exp(rate * local[uniforms.states + chunk * uniforms.E + channelState / N]) * h + local[at];
  }
  result[uniforms.states + index] = h;
}`;

/** States (or gradients of states) at the borders of chunks, and where in `packed` the last of them begins. */
export interface Carry {
  readonly packed: tf.TensorInfo;
  readonly end: number;
}

/**
 * The state before each chunk [B, chunks, E, N] and, after these, the last state [B,E,N], from what `selectiveScanState`
 * says of every chunk; with `gradient`, the gradient of the state behind each chunk and that of the state before the first.
 * A thread follows one state through the chunks.
 * Floor: 8 bytes of traffic and one exponential per chunk and state.
 */
export function selectiveScanCarry(
  backend: Backend,
  scan: Scan,
  local: tf.TensorInfo,
  Q: number,
  gradient?: ScanGradient,
): Carry {
  const { batch, L, E, N } = scanSizes(scan);
  const chunks = groupsFor(L, Q);
  const count = batch * E * N;
  const initial = gradient ? gradient.dState : scan.state;
  const packed = dispatch(backend, {
    name: `selective scan carry ${gradient ? 'reverse' : ''}`,
    inputs: { A: scan.A, local, initial },
    output: [(chunks + 1) * count],
    constants: { N, logarithmic: scan.logarithmic ?? false },
    uniforms: { E, chunks, count, states: count * chunks },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(scan, gradient !== undefined, initial !== undefined),
  });
  return { packed, end: count * chunks };
}
