import type * as tf from '@tensorflow/tfjs';
import { type Backend, dispatch, groupsFor } from '../program';
import { multiplier, TILE, TILE_PRELUDE, TILE_THREADS } from '../tile';
import { operandAt, type Ssd, ssdColumns, ssdParts, ssdPlace, ssdSizes, ssdSteps } from './ssd-scan';

const code = (ssd: Ssd, Q: number, gradient: boolean) => `${TILE_PRELUDE}${ssdPlace(Q)}${ssdSteps(ssd)}
var<private> tileP: i32;
var<private> tileN: i32;
var<workgroup> weight: array<f32, ${Q}>;
fn source(p: i32, t: i32) -> f32 {
  if (tileP + p >= uniforms.P || !within(t)) { return 0.0; }
  return weight[t] * ${gradient ? 'dy[headAt(t) * uniforms.P + tileP + p]' : operandAt('x', 't', 'tileP + p')};
}
fn direction(t: i32, n: i32) -> f32 {
  if (tileN + n >= uniforms.N || !within(t)) { return 0.0; }
  return ${operandAt(gradient ? 'C' : 'B', 't', 'tileN + n')};
}
${multiplier({ name: 'outer', lhs: 'source', rhs: 'direction', lhsAlongK: false, rhsAlongK: false })}
fn main(index: i32) {
  place(i32(workgroupId.z));
  tileP = i32(workgroupId.x) * ${TILE};
  tileN = i32(workgroupId.y) * ${TILE};
  let lane = i32(localIndex);
  if (lane < ${Q}) { decays[lane] = decayAt(lane); }
  workgroupBarrier();
  if (lane < ${Q}) {
    ${gradient ? 'weight[lane] = exp(decayInto(lane));' : 'weight[lane] = exp(decayOut(lane)) * stepAt(lane);'}
  }
  workgroupBarrier();
  var sum: array<vec4<f32>, 4>;
  outer(&sum, ${Q});
  for (var i = 0; i < 4; i++) {
    for (var j = 0; j < 4; j++) {
      let p = tileP + tileRow() + i;
      let n = tileN + tileColumn() + j;
      if (p < uniforms.P && n < uniforms.N) { result[(unit * uniforms.P + p) * uniforms.N + n] = sum[i][j]; }
    }
  }
  if (lane == 0 && tileP == 0 && tileN == 0) { result[uniforms.states + unit] = decayInto(${Q - 1}); }
}`;

/**
 * What each chunk of Q tokens adds to the state behind it, Σ_t exp(A ΣΔ) Δ_t x_t ⊗ B_t [B, chunks, H, P, N], then the
 * exponent of its decay [B, chunks, H]. With `dy`, what it adds to the gradient of the state before it. A workgroup has a
 * 32×32 tile of one state.
 * Floor: 2·B·L·H·P·N flops as matrix products; 4 bytes written per state element.
 */
export function ssdScanState(backend: Backend, ssd: Ssd, Q: number, dy?: tf.TensorInfo): tf.TensorInfo {
  const { x, delta, A, B, C } = ssd;
  const sizes = ssdSizes(ssd);
  const { batch, L, H, P, N } = sizes;
  const units = batch * groupsFor(L, Q) * H;
  return dispatch(backend, {
    name: `ssd scan state ${dy ? 'grad' : ''}`,
    inputs: dy ? { delta, A, C, dy } : { x, delta, A, B, dtBias: ssd.mixer?.dtBias },
    output: [units * P * N + units],
    parts: ssdParts(ssd),
    constants: { Q },
    uniforms: {
      ...{ L, H, P, G: sizes.G, N, chunks: groupsFor(L, Q), states: units * P * N },
      ...ssdColumns(ssd, dy ? ['delta', 'C'] : ['x', 'delta', 'B']),
    },
    threads: TILE_THREADS,
    groups: [groupsFor(P, TILE), groupsFor(N, TILE), units],
    flops: 2 * batch * L * H * P * N,
    code: code(ssd, Q, dy !== undefined),
  });
}
