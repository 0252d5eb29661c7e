import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import type { ScanGradient } from './selective-scan';
import type { Carry } from './selective-scan-carry';
import { type Ssd, ssdSizes } from './ssd-scan';

const code = (reverse: boolean, started: boolean) => `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let perChunk = uniforms.H * uniforms.states;
  let element = index % perChunk;
  let b = index / perChunk;
  var h = ${started ? 'initial[index]' : '0.0'};
  for (var i = 0; i < uniforms.chunks; i++) {
    let chunk = b * uniforms.chunks + ${reverse ? 'uniforms.chunks - 1 - i' : 'i'};
    let at = chunk * perChunk + element;
    result[at] = h;
    h = exp(local[uniforms.decays + chunk * uniforms.H + element / uniforms.states]) * h + local[at];
  }
  result[uniforms.decays + index] = h;
}`;

/**
 * The state before each chunk [B, chunks, H, P, N] and, after these, the last state [B,H,P,N], from what `ssdScanState` says
 * of every chunk; with `gradient`, the gradient of the state behind each chunk and that of the state before the first.
 * A thread follows one element through the chunks. Floor: 8 bytes of traffic per chunk and state element.
 */
export function ssdScanCarry(
  backend: Backend,
  ssd: Ssd,
  local: tf.TensorInfo,
  Q: number,
  gradient?: ScanGradient,
): Carry {
  const { batch, L, H, P, N } = ssdSizes(ssd);
  const chunks = groupsFor(L, Q);
  const count = batch * H * P * N;
  const initial = gradient ? gradient.dState : ssd.state;
  const packed = dispatch(backend, {
    name: `ssd scan carry ${gradient ? 'reverse' : ''}`,
    inputs: { local, initial },
    output: [(chunks + 1) * count],
    uniforms: { H, chunks, count, states: P * N, decays: count * chunks },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(gradient !== undefined, initial !== undefined),
  });
  return { packed, end: count * chunks };
}
