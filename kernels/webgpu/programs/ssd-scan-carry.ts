import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { CHUNK, type Ssd, ssdSizes } from './ssd-scan';

const code = (reverse: boolean) => `
fn main(index: i32) {
  if (index >= uniforms.count) { return; }
  let perChunk = uniforms.H * uniforms.states;
  let element = index % perChunk;
  let b = index / perChunk;
  var h = 0.0;
  for (var i = 0; i < uniforms.chunks; i++) {
    let chunk = b * uniforms.chunks + ${reverse ? 'uniforms.chunks - 1 - i' : 'i'};
    let at = chunk * perChunk + element;
    result[at] = h;
    h = exp(local[uniforms.decays + chunk * uniforms.H + element / uniforms.states]) * h + local[at];
  }
}`;

/**
 * The state before each chunk (in `reverse`, the gradient of the state behind it) [B, chunks, H, P, N], from what
 * `ssdScanState` says of every chunk. A thread follows one element through the chunks. Floor: 8 bytes of traffic per chunk
 * and state element.
 */
export function ssdScanCarry(backend: Backend, ssd: Ssd, local: tf.TensorInfo, reverse = false): tf.TensorInfo {
  const { batch, L, H, P, N } = ssdSizes(ssd);
  const chunks = groupsFor(L, CHUNK);
  const count = batch * H * P * N;
  return dispatch(backend, {
    name: `ssd scan carry ${reverse ? 'reverse' : ''}`,
    inputs: { local },
    output: [batch, chunks, H, P, N],
    uniforms: { H, chunks, count, states: P * N, decays: count * chunks },
    threads: 64,
    groups: [groupsFor(count, 64)],
    code: code(reverse),
  });
}
