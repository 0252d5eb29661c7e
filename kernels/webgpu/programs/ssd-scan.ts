import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { alone, type Columns, columnAt, columnUniforms } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';
import { multiplier, TILE, TILE_PRELUDE, TILE_THREADS } from '../tile';

/** Arrays of one SSD scan, as `ops/ssd-scan.ts` describes them. */
export interface Ssd {
  readonly x: tf.TensorInfo;
  readonly delta: tf.TensorInfo;
  readonly A: tf.TensorInfo;
  readonly B: tf.TensorInfo;
  readonly C: tf.TensorInfo;
  readonly D?: tf.TensorInfo;
  /** The state before the first token [B,H,P,N]. */
  readonly state?: tf.TensorInfo;
  /** Of a pass forward inside a mixer: its operands are columns of wider arrays, and Δ and A are still to be made. */
  readonly mixer?: SsdOfMixer;
}

export interface SsdOfMixer {
  readonly sizes: SsdSizes;
  readonly columns: Readonly<Record<'x' | 'delta' | 'B' | 'C', Columns>>;
  /** Δ = softplus(delta + dtBias); A holds ln(−A) [H]. */
  readonly dtBias: tf.TensorInfo;
}

/** Tokens of a chunk: long ones write and read fewer states; backward a chunk is one tile. */
export const [FORWARD, BACKWARD] = [2 * TILE, TILE];

export type SsdSizes = Readonly<Record<'batch' | 'L' | 'H' | 'P' | 'G' | 'N', number>>;

export function ssdSizes({ x, B, mixer }: Ssd): SsdSizes {
  if (mixer) return mixer.sizes;
  const [batch, L, H, P] = x.shape;
  const [, , G, N] = B.shape;
  return { batch, L, H, P, G, N };
}

/**
 * Where a workgroup works: `unit` is (batch · chunks + chunk) · H + head, tokens count from the chunk's `start`. `decays`
 * holds A·Δ of its tokens, zero beyond the end; sums of them go from one token to another, never as differences.
 */
export const ssdPlace = (Q: number): string => `
var<private> unit: i32;
var<private> head: i32;
var<private> start: i32;
var<private> row: i32;
var<workgroup> decays: array<f32, ${Q}>;
fn place(at: i32) {
  unit = at;
  head = at % uniforms.H;
  let chunk = at / uniforms.H;
  start = chunk % uniforms.chunks * ${Q};
  row = chunk / uniforms.chunks * uniforms.L + start;
}
fn within(t: i32) -> bool { return start + t < uniforms.L; }
fn headAt(t: i32) -> i32 { return (row + t) * uniforms.H + head; }
fn groupAt(t: i32) -> i32 { return (row + t) * uniforms.G + head / (uniforms.H / uniforms.G); }
// Exponent of the decay from before the chunk to behind token t, and from behind token t to the end of the chunk.
fn decayInto(t: i32) -> f32 {
  var sum = 0.0;
  for (var k = 0; k <= t; k++) { sum += decays[k]; }
  return sum;
}
fn decayOut(t: i32) -> f32 {
  var sum = 0.0;
  for (var k = t + 1; k < ${Q}; k++) { sum += decays[k]; }
  return sum;
}
`;

/** Uniforms that say where the operands of a pass forward lie. */
export function ssdColumns(ssd: Ssd, names: readonly ('x' | 'delta' | 'B' | 'C')[]): Record<string, number> {
  const { H, P, G, N } = ssdSizes(ssd);
  const own = { x: alone(H * P), delta: alone(H), B: alone(G * N), C: alone(G * N) };
  return Object.assign({}, ...names.map((name) => columnUniforms(name, (ssd.mixer?.columns ?? own)[name])));
}

/** Elements of each operand that a pass reads. */
export function ssdParts(ssd: Ssd): Readonly<Record<'x' | 'delta' | 'B' | 'C', number>> {
  const { batch, L, H, P, G, N } = ssdSizes(ssd);
  const rows = batch * L;
  return { x: rows * H * P, delta: rows * H, B: rows * G * N, C: rows * G * N };
}

/** WGSL: Δ of token t, within the text, and the exponent of its decay; `x`, `B` and `C` of a token are read by {@link operandAt}. */
export const ssdSteps = ({ mixer }: Ssd): string => `${mixer ? ACTIVATIONS : ''}
fn stepAt(t: i32) -> f32 {
  if (!within(t)) { return 0.0; }
  return ${mixer ? `softplusOf(${columnAt('delta', 'row + t', 'head')} + dtBias[head])` : columnAt('delta', 'row + t', 'head')};
}
fn decayAt(t: i32) -> f32 { return ${mixer ? '-exp(A[head])' : 'A[head]'} * stepAt(t); }
`;

/** WGSL: an element of x (p), B or C (n) of token t. */
export const operandAt = (name: 'x' | 'B' | 'C', t: string, element: string): string =>
  columnAt(
    name,
    `row + ${t}`,
    name === 'x' ? `head * uniforms.P + ${element}` : `head / (uniforms.H / uniforms.G) * uniforms.N + ${element}`,
  );

/**
 * `fillDecayTile(lane, target, source)` puts exp(Σ_{s<k≤t} A Δ_k) at mix[t, s] for s ≤ t and 0 above, of the 32 tokens from
 * `target` and from `source` ≤ `target` on; 32 lanes take a column each.
 */
export const DECAY_TILE = `
var<workgroup> mix: array<f32, ${TILE * TILE}>;
fn fillDecayTile(lane: i32, target_: i32, source: i32) {
  if (lane >= ${TILE}) { return; }
  let s = source + lane;
  var sum = 0.0;
  for (var t = source; t < target_ + ${TILE}; t++) {
    if (t > s) { sum += decays[t]; }
    if (t >= target_) { mix[(t - target_) * ${TILE} + lane] = select(0.0, exp(sum), t >= s); }
  }
}
`;

/** Forward, rows are targets t and columns sources s; for the gradient the other way round, with B and C exchanged. */
const code = (ssd: Ssd, Q: number, gradient: boolean, carried: boolean, skip: boolean) => {
  const [own, other] = gradient ? (['B', 'C'] as const) : (['C', 'B'] as const);
  const source = gradient
    ? 'dy[headAt(columnStart + r) * uniforms.P + tileP + p]'
    : operandAt('x', '(columnStart + r)', 'tileP + p');
  const mixed = gradient ? `mix[column * ${TILE} + r]` : `mix[r * ${TILE} + column] * stepAt(columnStart + column)`;
  const edge = gradient ? 'decayOut' : 'decayInto';
  const written = gradient ? 'stepAt(t) * value' : 'value';
  return `${TILE_PRELUDE}${ssdPlace(Q)}${ssdSteps(ssd)}${DECAY_TILE}
var<private> tileP: i32;
// First tokens of the tile's rows and of the columns at hand.
var<private> rowStart: i32;
var<private> columnStart: i32;
var<workgroup> tiles: i32;
var<workgroup> mixed: array<f32, ${TILE * TILE}>;
fn own(r: i32, n: i32) -> f32 {
  if (n >= uniforms.N || !within(rowStart + r)) { return 0.0; }
  return ${operandAt(own, '(rowStart + r)', 'n')};
}
fn other(n: i32, r: i32) -> f32 {
  if (n >= uniforms.N || !within(columnStart + r)) { return 0.0; }
  return ${operandAt(other, '(columnStart + r)', 'n')};
}
fn source(r: i32, p: i32) -> f32 {
  if (tileP + p >= uniforms.P || !within(columnStart + r)) { return 0.0; }
  return ${source};
}
fn mixedAt(r: i32, k: i32) -> f32 { return mixed[r * ${TILE} + k]; }
${multiplier({ name: 'agree', lhs: 'own', rhs: 'other', lhsAlongK: true, rhsAlongK: true })}
${multiplier({ name: 'gather', lhs: 'mixedAt', rhs: 'source', lhsAlongK: true, rhsAlongK: false })}
${
  carried
    ? `
fn state(n: i32, p: i32) -> f32 {
  if (n >= uniforms.N || tileP + p >= uniforms.P) { return 0.0; }
  return carry[(unit * uniforms.P + tileP + p) * uniforms.N + n];
}
${multiplier({ name: 'recall', lhs: 'own', rhs: 'state', lhsAlongK: true, rhsAlongK: true })}`
    : ''
}
fn main(index: i32) {
  place(i32(workgroupId.y));
  tileP = i32(workgroupId.x) * ${TILE};
  rowStart = i32(workgroupId.z) * ${TILE};
  let lane = i32(localIndex);
  if (lane == 0) { tiles = i32(workgroupId.z) + 1; }
  if (lane < ${Q}) { decays[lane] = decayAt(lane); }
  workgroupBarrier();
  var sum: array<vec4<f32>, 4>;
  let count = workgroupUniformLoad(&tiles);
  for (var tile = 0; tile < count; tile++) {
    columnStart = tile * ${TILE};
    fillDecayTile(lane, rowStart, columnStart);
    workgroupBarrier();
    var agreement = array<vec4<f32>, 4>();
    agree(&agreement, uniforms.N);
    for (var i = 0; i < 4; i++) {
      for (var j = 0; j < 4; j++) {
        let r = tileRow() + i;
        let column = tileColumn() + j;
        mixed[r * ${TILE} + column] = agreement[i][j] * ${mixed};
      }
    }
    workgroupBarrier();
    gather(&sum, ${TILE});
  }
  var recalled: array<vec4<f32>, 4>;
  ${carried ? 'recall(&recalled, uniforms.N);' : ''}
  for (var i = 0; i < 4; i++) {
    let t = rowStart + tileRow() + i;
    let scale = exp(${edge}(t));
    for (var j = 0; j < 4; j++) {
      let p = tileColumn() + j;
      if (within(t) && tileP + p < uniforms.P) {
        let value = sum[i][j] + scale * recalled[i][j];
        result[headAt(t) * uniforms.P + tileP + p] = ${written}${skip ? ' + D[head] * source(tileRow() + i, p)' : ''};
      }
    }
  }
}`;
};

/**
 * y [B,L,H,P] by chunks of Q tokens (a multiple of 32; 32 with `dy`): (C_t·B_s) exp(A ΣΔ) Δ_s within a chunk, and what `carry` [B, chunks, H, P, N], the
 * states before each chunk, gives (nothing where absent). With `dy`, the gradient dx instead, `carry` being the
 * gradients of the states behind each chunk. A workgroup has 32 tokens and 32 of the P columns of one head and chunk.
 *
 * Floor: 2·B·L·H·(P·N + S·P + S·N·⌈P/32⌉) flops with S = (Q + 32)/2 sources a token, as matrix products; 8 bytes of traffic per element of x and the states.
 */
export function ssdScan(
  backend: Backend,
  ssd: Ssd,
  Q: number,
  carry?: tf.TensorInfo,
  dy?: tf.TensorInfo,
): tf.TensorInfo {
  const { x, delta, A, B, C, D } = ssd;
  const { batch, L, H, P, G, N } = ssdSizes(ssd);
  const chunks = groupsFor(L, Q);
  const sources = (Q + TILE) / 2;
  return dispatch(backend, {
    name: `ssd scan ${dy ? 'grad' : ''}`,
    inputs: dy ? { dy, delta, A, B, C, D, carry } : { x, delta, A, B, C, D, carry, dtBias: ssd.mixer?.dtBias },
    output: [batch, L, H, P],
    parts: ssdParts(ssd),
    constants: { Q },
    uniforms: { L, H, P, G, N, chunks, ...ssdColumns(ssd, dy ? ['delta', 'B', 'C'] : ['x', 'delta', 'B', 'C']) },
    threads: TILE_THREADS,
    groups: [groupsFor(P, TILE), batch * chunks * H, Q / TILE],
    flops: 2 * batch * L * H * ((carry ? P * N : 0) + sources * (P + N * groupsFor(P, TILE))),
    code: code(ssd, Q, dy !== undefined, carry !== undefined, D !== undefined),
  });
}
