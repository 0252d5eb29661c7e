import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { type Backend, dispatch, groupsFor } from '../program';
import { type Scan, scanSizes, stepOf } from './selective-scan';

/** Channels of a workgroup, and states whose sums over channels are formed at a time. */
const [CHANNELS, STATES] = [64, 16];

/** Where the sections of the packed result begin, in words, and what partial sums they hold. */
export interface PackedScanGradient {
  readonly packed: tf.TensorInfo;
  readonly chunks: number;
  /** Workgroups along the channels: the parts of dB and dC. */
  readonly tiles: number;
  readonly at: Readonly<Record<'delta' | 'z' | 'A' | 'B' | 'C' | 'D', number>>;
}

const code = (scan: Scan, carried: boolean) => `${ACTIVATIONS}${stepOf(scan)}
// Products of one token, [2 · ${STATES}, ${CHANNELS}]: first those of dB, then those of dC.
var<workgroup> products: array<f32, ${2 * STATES * CHANNELS}>;
var<workgroup> halves: array<f32, ${CHANNELS}>;
fn main(index: i32) {
  let lane = i32(localIndex);
  let e = i32(workgroupId.x) * ${CHANNELS} + lane;
  let b = i32(workgroupId.z);
  let chunk = i32(workgroupId.y);
  let unit = (b * uniforms.chunks + chunk) * uniforms.E + e;
  var h: array<f32, N>;
  var g: array<f32, N>;
  var dA: array<f32, N>;
  var before: array<f32, Q * N>;
  if (e < uniforms.E) {
    ${carried ? 'for (var n = 0; n < N; n++) { h[n] = carry[unit * N + n]; g[n] = back[unit * N + n]; }' : ''}
    for (var i = 0; i < min(Q, uniforms.L - chunk * Q); i++) {
      let row = b * uniforms.L + chunk * Q + i;
      let step = stepAt(row * uniforms.E + e);
      let write = step * x[row * uniforms.E + e];
      for (var n = 0; n < N; n++) {
        before[i * N + n] = h[n];
        h[n] = exp(step * A[e * N + n]) * h[n] + write * B[row * N + n];
      }
    }
  }
  var dD = 0.0;
  for (var i = Q - 1; i >= 0; i--) {
    let t = chunk * Q + i;
    let on = e < uniforms.E && t < uniforms.L;
    let row = b * uniforms.L + min(t, uniforms.L - 1);
    let at = row * uniforms.E + min(e, uniforms.E - 1);
    let step = stepAt(at);
    let du = select(0.0, dy[at]${scan.z ? ' * siluOf(z[at])' : ''}, on);
    var u = ${scan.D ? 'D[min(e, uniforms.E - 1)] * x[at]' : '0.0'};
    var dx = ${scan.D ? 'D[min(e, uniforms.E - 1)] * du' : '0.0'};
    var dstep = 0.0;
    for (var first = 0; first < N; first += ${STATES}) {
      for (var n = first; n < min(first + ${STATES}, N); n++) {
        var dB = 0.0;
        var dC = 0.0;
        if (on) {
          let rate = A[e * N + n];
          let decayed = exp(step * rate) * before[i * N + n];
          let after = decayed + step * B[row * N + n] * x[at];
          let gn = g[n] + C[row * N + n] * du;
          u += C[row * N + n] * after;
          dx += step * B[row * N + n] * gn;
          dstep += gn * (rate * decayed + B[row * N + n] * x[at]);
          dA[n] += step * decayed * gn;
          dB = step * x[at] * gn;
          dC = du * after;
          g[n] = exp(step * rate) * gn;
        }
        products[(n - first) * ${CHANNELS} + lane] = dB;
        products[(${STATES} + n - first) * ${CHANNELS} + lane] = dC;
      }
      workgroupBarrier();
      // Thread (sum, half) adds up half of the channels, starting at a different one in each sum to spread the banks.
      let column = lane % ${2 * STATES};
      let offset = column * ${CHANNELS} + lane / ${2 * STATES} * ${CHANNELS / 2};
      var sum = 0.0;
      for (var k = 0; k < ${CHANNELS / 2}; k++) { sum += products[offset + (k + column) % ${CHANNELS / 2}]; }
      halves[lane] = sum;
      workgroupBarrier();
      let n = first + column % ${STATES};
      if (lane < ${2 * STATES} && n < N && t < uniforms.L) {
        let section = select(uniforms.atC, uniforms.atB, column < ${STATES});
        let tile = row * uniforms.tiles + i32(workgroupId.x);
        result[section + tile * N + n] = halves[lane] + halves[lane + ${2 * STATES}];
      }
    }
    if (on) {
      dD += du * x[at];
      result[at] = dx;
      result[uniforms.atDelta + at] = dstep${scan.softplus ? ' * sigmoidOf(delta[at])' : ''};
      ${scan.z ? 'result[uniforms.atZ + at] = dy[at] * u * siluSlope(z[at]);' : ''}
    }
  }
  if (e < uniforms.E) {
    for (var n = 0; n < N; n++) { result[uniforms.atA + unit * N + n] = dA[n]; }
    result[uniforms.atD + unit] = dD;
  }
}`;

/**
 * All gradients of the selective scan in one array: dx, ddelta, dz [B,L,E] each, then partial sums of dA [B·chunks, E, N],
 * dB and dC [B·L, tiles, N] each, and dD [B·chunks, E]. `carry` and `back` are the states before each chunk of Q tokens and
 * the gradients of those behind it; nothing where absent. A workgroup has 64 channels of one chunk; a thread
 * recomputes and keeps the Q·N states of its channel.
 *
 * Floor: two exponentials and ten multiply-adds a state update, and four words of workgroup memory; 32 bytes of traffic per
 * token and channel.
 */
export function selectiveScanGrad(
  backend: Backend,
  scan: Scan,
  dy: tf.TensorInfo,
  Q: number,
  carries?: { readonly carry: tf.TensorInfo; readonly back: tf.TensorInfo },
): PackedScanGradient {
  const { x, delta, A, B, C, D, z, softplus } = scan;
  const { batch, L, E, N } = scanSizes(scan);
  const [chunks, tiles] = [groupsFor(L, Q), groupsFor(E, CHANNELS)];
  const count = batch * L * E;
  const atA = count * (z ? 3 : 2);
  const atB = atA + batch * chunks * E * N;
  const atC = atB + batch * L * tiles * N;
  const atD = atC + batch * L * tiles * N;
  const at = { delta: count, z: 2 * count, A: atA, B: atB, C: atC, D: atD };
  const packed = dispatch(backend, {
    name: 'selective scan grad',
    inputs: { x, delta, A, B, C, D, z, dy, ...carries },
    output: [atD + batch * chunks * E],
    constants: { N, Q, softplus },
    uniforms: { L, E, chunks, tiles, atDelta: at.delta, atZ: at.z, atA, atB, atC, atD },
    threads: CHANNELS,
    groups: [tiles, chunks, batch],
    code: code(scan, carries !== undefined),
  });
  return { packed, chunks, tiles, at };
}
