import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { multiplier, TILE, TILE_PRELUDE, TILE_THREADS } from '../tile';
import { BACKWARD as CHUNK, DECAY_TILE, type Ssd, ssdPlace, ssdSizes } from './ssd-scan';

/** Where the sections of the packed result begin, in words. */
export interface PackedSsdGradient {
  readonly packed: tf.TensorInfo;
  readonly chunks: number;
  readonly at: Readonly<Record<'B' | 'C' | 'delta' | 'A' | 'D', number>>;
}

const CARRIED = `
fn stateAt(p: i32, n: i32) -> f32 {
  if (p >= uniforms.P || tileN + n >= uniforms.N) { return 0.0; }
  return carry[(unit * uniforms.P + p) * uniforms.N + tileN + n];
}
fn stateGradAt(p: i32, n: i32) -> f32 {
  if (p >= uniforms.P || tileN + n >= uniforms.N) { return 0.0; }
  return back[(unit * uniforms.P + p) * uniforms.N + tileN + n];
}
${multiplier({ name: 'readGrad', lhs: 'dyAt', rhs: 'stateAt', lhsAlongK: true, rhsAlongK: false })}
${multiplier({ name: 'writeGrad', lhs: 'xAt', rhs: 'stateGradAt', lhsAlongK: true, rhsAlongK: false })}
fn overlap(lane: i32) -> f32 {
  var sum = 0.0;
  let first = unit * uniforms.P * uniforms.N;
  for (var i = lane; i < uniforms.P * uniforms.N; i += ${TILE_THREADS}) { sum += carry[first + i] * back[first + i]; }
  return sum;
}`;

const code = (carried: boolean) => `${TILE_PRELUDE}${ssdPlace(CHUNK)}
fn decayAt(t: i32) -> f32 {
  if (!within(t)) { return 0.0; }
  return A[head] * delta[headAt(t)];
}
${DECAY_TILE}
var<private> tileN: i32;
// (dy_t·x_s)(C_t·B_s) exp(..) at [t, s]; later sums of rows, by thread.
var<workgroup> pairs: array<f32, ${CHUNK * CHUNK}>;
var<workgroup> steps: array<f32, ${CHUNK}>;
// What each token reads from the state before the chunk, and writes into the one behind it, as shares of the loss.
var<workgroup> readShare: array<f32, ${CHUNK}>;
var<workgroup> writeShare: array<f32, ${CHUNK}>;
var<workgroup> partial: array<f32, ${TILE_THREADS}>;
fn dyAt(t: i32, p: i32) -> f32 {
  if (p >= uniforms.P || !within(t)) { return 0.0; }
  return dy[headAt(t) * uniforms.P + p];
}
fn xAt(t: i32, p: i32) -> f32 {
  if (p >= uniforms.P || !within(t)) { return 0.0; }
  return x[headAt(t) * uniforms.P + p];
}
fn xAcross(p: i32, s: i32) -> f32 { return xAt(s, p); }
fn BAt(s: i32, n: i32) -> f32 {
  if (tileN + n >= uniforms.N || !within(s)) { return 0.0; }
  return B[groupAt(s) * uniforms.N + tileN + n];
}
fn CAt(t: i32, n: i32) -> f32 {
  if (tileN + n >= uniforms.N || !within(t)) { return 0.0; }
  return C[groupAt(t) * uniforms.N + tileN + n];
}
fn BAcross(n: i32, s: i32) -> f32 { return BAt(s, n); }
fn toTarget(t: i32, s: i32) -> f32 { return mix[t * ${CHUNK} + s] * steps[s]; }
fn toSource(s: i32, t: i32) -> f32 { return mix[t * ${CHUNK} + s]; }
${multiplier({ name: 'likeness', lhs: 'dyAt', rhs: 'xAcross', lhsAlongK: true, rhsAlongK: true })}
${multiplier({ name: 'agree', lhs: 'CAt', rhs: 'BAcross', lhsAlongK: true, rhsAlongK: true })}
${multiplier({ name: 'targetGrad', lhs: 'toTarget', rhs: 'BAt', lhsAlongK: true, rhsAlongK: false })}
${multiplier({ name: 'sourceGrad', lhs: 'toSource', rhs: 'CAt', lhsAlongK: false, rhsAlongK: false })}
${carried ? CARRIED : ''}
// Sum over the eight threads of a row of each thread's four rows, into readShare or writeShare.
fn sumOfRow(rows: vec4<f32>, lane: i32) -> f32 {
  for (var i = 0; i < 4; i++) { pairsOfRows[(tileRow() + i) * 8 + lane % 8] = rows[i]; }
  workgroupBarrier();
  var sum = 0.0;
  if (lane < ${CHUNK}) { for (var k = 0; k < 8; k++) { sum += pairsOfRows[lane * 8 + k]; } }
  workgroupBarrier();
  return sum;
}
var<workgroup> pairsOfRows: array<f32, ${CHUNK * 8}>;
fn main(index: i32) {
  place(i32(workgroupId.x));
  let lane = i32(localIndex);
  if (lane < ${CHUNK}) {
    decays[lane] = decayAt(lane);
    steps[lane] = 0.0;
    if (within(lane)) { steps[lane] = delta[headAt(lane)]; }
  }
  workgroupBarrier();
  fillDecayTile(lane, 0, 0);
  workgroupBarrier();
  var alike: array<vec4<f32>, 4>;
  likeness(&alike, uniforms.P);
  var agreement: array<vec4<f32>, 4>;
  tileN = 0;
  agree(&agreement, uniforms.N);
  for (var i = 0; i < 4; i++) {
    for (var j = 0; j < 4; j++) {
      let at = (tileRow() + i) * ${CHUNK} + tileColumn() + j;
      mix[at] *= alike[i][j];
      pairs[at] = mix[at] * agreement[i][j];
    }
  }
  workgroupBarrier();
  var reads: vec4<f32>;
  var writes: vec4<f32>;
  for (var first = 0; first < uniforms.N; first += ${TILE}) {
    tileN = first;
    var dC = array<vec4<f32>, 4>();
    var dB = array<vec4<f32>, 4>();
    targetGrad(&dC, ${CHUNK});
    sourceGrad(&dB, ${CHUNK});
    var fromState = array<vec4<f32>, 4>();
    var fromNext = array<vec4<f32>, 4>();
    ${carried ? 'readGrad(&fromState, uniforms.P); writeGrad(&fromNext, uniforms.P);' : ''}
    for (var i = 0; i < 4; i++) {
      let r = tileRow() + i;
      let read = exp(decayInto(r)) * fromState[i];
      let write = exp(decayOut(r)) * fromNext[i];
      for (var j = 0; j < 4; j++) {
        let n = tileColumn() + j;
        reads[i] += read[j] * CAt(r, n);
        writes[i] += write[j] * BAt(r, n);
        if (within(r) && tileN + n < uniforms.N) {
          let at = headAt(r) * uniforms.N + tileN + n;
          result[at] = steps[r] * (dB[i][j] + write[j]);
          result[uniforms.atC + at] = dC[i][j] + read[j];
        }
      }
    }
  }
  let readSum = sumOfRow(reads, lane);
  let writeSum = sumOfRow(writes, lane);
  if (lane < ${CHUNK}) { readShare[lane] = readSum; writeShare[lane] = writeSum; }
  let through = ${carried ? `exp(decayInto(${CHUNK - 1})) * total(array(overlap(lane)))[0]` : '0.0'};
  workgroupBarrier();
  var decayGrad = 0.0;
  if (lane < ${CHUNK} && within(lane)) {
    decayGrad = through;
    var direct = writeShare[lane];
    for (var t = lane; t < ${CHUNK}; t++) {
      decayGrad += readShare[t];
      direct += pairs[t * ${CHUNK} + lane];
      for (var s = 0; s < lane; s++) { decayGrad += steps[s] * pairs[t * ${CHUNK} + s]; }
    }
    for (var s = 0; s < lane; s++) { decayGrad += steps[s] * writeShare[s]; }
    result[uniforms.atDelta + headAt(lane)] = A[head] * decayGrad + direct;
  }
  partial[lane] = decayGrad;
  workgroupBarrier();
  if (lane == 0) {
    var dA = 0.0;
    var dD = 0.0;
    for (var t = 0; t < ${CHUNK}; t++) {
      dA += steps[t] * partial[t];
      dD += mix[t * ${CHUNK} + t];
    }
    result[uniforms.atA + unit] = dA;
    result[uniforms.atD + unit] = dD;
  }
}`;

/**
 * Gradients of the SSD scan but for x, in one array: dB and dC of every head [B·L, H, N] each, ddelta [B,L,H], and partial
 * sums of dA and dD [B·chunks, H] each. `carry` and `back` are the states before each chunk of 32 tokens and the gradients
 * of those behind it; nothing where absent. A workgroup has one head of one chunk.
 *
 * The gradient of a decay adds up what passes across its token, pair by pair: no differences of long sums.
 * Floor: 2·B·L·H·(2·P·N + 3·32·N + 32·P) flops as matrix products; 8 bytes written per token, head and N.
 */
export function ssdScanGrad(
  backend: Backend,
  ssd: Ssd,
  dy: tf.TensorInfo,
  carries?: { readonly carry: tf.TensorInfo; readonly back: tf.TensorInfo },
): PackedSsdGradient {
  const { x, delta, A, B, C } = ssd;
  const { batch, L, H, P, G, N } = ssdSizes(ssd);
  const chunks = groupsFor(L, CHUNK);
  const units = batch * chunks * H;
  const atC = batch * L * H * N;
  const atDelta = 2 * atC;
  const atA = atDelta + batch * L * H;
  const at = { B: 0, C: atC, delta: atDelta, A: atA, D: atA + units };
  const packed = dispatch(backend, {
    name: 'ssd scan grad of B, C and delta',
    inputs: { x, delta, A, B, C, dy, ...carries },
    output: [atA + 2 * units],
    uniforms: { L, H, P, G, N, chunks, atC, atDelta, atA, atD: at.D },
    threads: TILE_THREADS,
    reduces: carries && { total: 1 },
    groups: [units],
    flops: 2 * batch * L * H * ((carries ? 2 * P * N : 0) + CHUNK * (3 * N + P)),
    code: code(carries !== undefined),
  });
  return { packed, chunks, at };
}
