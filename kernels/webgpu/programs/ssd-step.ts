import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { columnAt } from '../columns';
import { type Backend, dispatch } from '../program';
import { type Ssd, ssdColumns, ssdParts, ssdSizes } from './ssd-scan';

const THREADS = 64;

const code = (started: boolean) => `${ACTIVATIONS}
fn main(index: i32) {
  let channel = i32(workgroupId.x);
  let b = i32(workgroupId.y);
  let me = i32(localIndex);
  let head = channel / uniforms.P;
  let raw = ${columnAt('delta', 'b', 'head')} + dtBias[head];
  let step = clamp(softplusOf(raw), uniforms.low, uniforms.high);
  let decay = exp(-exp(A[head]) * step);
  let input = ${columnAt('x', 'b', 'channel')};
  let group = head / (uniforms.H / uniforms.G) * uniforms.N;
  let first = (b * uniforms.E + channel) * uniforms.N;
  var sum = 0.0;
  for (var n = me; n < uniforms.N; n += ${THREADS}) {
    let h = ${started ? 'decay * state[first + n]' : '0.0'} + step * input * ${columnAt('B', 'b', 'group + n')};
    result[uniforms.count + first + n] = h;
    sum += ${columnAt('C', 'b', 'group + n')} * h;
  }
  let y = total(array(sum))[0];
  if (me == 0) { result[b * uniforms.E + channel] = y + D[head] * input; }
}`;

/**
 * One token of an SSD scan inside a mixer, Δ = clamp(softplus(delta + dtBias)): y [rows,E], then the state behind it
 * [rows,H,P,N], in one array. A workgroup has the states of a channel. Floor: 8 bytes of traffic a state.
 */
export function ssdStep(backend: Backend, ssd: Ssd, limit: { low: number; high: number }): tf.TensorInfo {
  const { x, delta, A, B, C, D, state, mixer } = ssd;
  const { batch, H, P, G, N } = ssdSizes(ssd);
  const count = batch * H * P;
  return dispatch(backend, {
    name: 'ssd step',
    inputs: { x, delta, A, B, C, D, dtBias: mixer?.dtBias, state },
    output: [count * (N + 1)],
    parts: ssdParts(ssd),
    uniforms: { H, P, G, N, E: H * P, count, ...ssdColumns(ssd, ['x', 'delta', 'B', 'C']) },
    floats: limit,
    threads: THREADS,
    reduces: { total: 1 },
    groups: [H * P, batch],
    code: code(state !== undefined),
  });
}
