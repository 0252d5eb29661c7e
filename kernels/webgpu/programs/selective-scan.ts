import type * as tf from '@tensorflow/tfjs';
import { ACTIVATIONS } from '../activations';
import { alone, type Columns, columnAt, columnUniforms } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';

/** Arrays of one selective scan, as `ops/selective-scan.ts` describes them. */
export interface Scan {
  readonly x: tf.TensorInfo;
  readonly delta: tf.TensorInfo;
  readonly A: tf.TensorInfo;
  readonly B: tf.TensorInfo;
  readonly C: tf.TensorInfo;
  readonly D?: tf.TensorInfo;
  readonly z?: tf.TensorInfo;
  /** The state before the first token [B,E,N]. */
  readonly state?: tf.TensorInfo;
  readonly softplus: boolean;
  /** Whether A holds ln(−A). */
  readonly logarithmic?: boolean;
  /** Where z, B and C lie, for passes forward; default arrays of their own. */
  readonly columns?: Readonly<Record<'z' | 'B' | 'C', Columns>>;
}

/** Uniforms that say where the operands of a pass forward lie. */
export function scanColumns(scan: Scan, names: readonly ('z' | 'B' | 'C')[]): Record<string, number> {
  const { E, N } = scanSizes(scan);
  const own = { z: alone(E), B: alone(N), C: alone(N) };
  return Object.assign({}, ...names.map((name) => columnUniforms(name, (scan.columns ?? own)[name])));
}

/** WGSL: A of a channel and state, from the array A. */
export const rateOf = ({ logarithmic }: Scan, at: string): string => (logarithmic ? `-exp(A[${at}])` : `A[${at}]`);

/** Gradients of the results: y, and the last state where it was asked for. */
export interface ScanGradient {
  readonly dy: tf.TensorInfo;
  readonly dState?: tf.TensorInfo;
}

export function scanSizes({ x, A }: Scan): Readonly<Record<'batch' | 'L' | 'E' | 'N', number>> {
  const [batch, L, E] = x.shape;
  return { batch, L, E, N: A.shape[1] };
}

/** `stepAt(at)`: Δ at an index of [B,L,E]. */
export const stepOf = ({ softplus }: Scan): string =>
  `fn stepAt(at: i32) -> f32 { return ${softplus ? 'softplusOf(delta[at])' : 'delta[at]'}; }`;

const code = (scan: Scan, carried: boolean) => `${ACTIVATIONS}${stepOf(scan)}
fn main(index: i32) {
  let e = i32(workgroupId.x) * 64 + i32(localIndex);
  let b = i32(workgroupId.z);
  let chunk = i32(workgroupId.y);
  if (e >= uniforms.E) { return; }
  var h: array<f32, N>;
  var rates: array<f32, N>;
  for (var n = 0; n < N; n++) { rates[n] = ${rateOf(scan, 'e * N + n')}; }
  ${
    carried
      ? `let unit = (b * uniforms.chunks + chunk) * uniforms.E + e;
  for (var n = 0; n < N; n++) { h[n] = carry[unit * N + n]; }`
      : ''
  }
  for (var t = chunk * Q; t < min((chunk + 1) * Q, uniforms.L); t++) {
    let row = b * uniforms.L + t;
    let at = row * uniforms.E + e;
    let step = stepAt(at);
    let write = step * x[at];
    var sum = ${scan.D ? 'D[e] * x[at]' : '0.0'};
    for (var n = 0; n < N; n++) {
      h[n] = exp(step * rates[n]) * h[n] + write * ${columnAt('B', 'row', 'n')};
      sum += ${columnAt('C', 'row', 'n')} * h[n];
    }
    result[at] = sum${scan.z ? ` * siluOf(${columnAt('z', 'row', 'e')})` : ''};
  }
}`;

/**
 * y_t = (C_t·S_t + D x_t) SiLU(z_t) [B,L,E], from the states `carry` before each chunk of Q tokens (zero where absent). A workgroup has 64 channels of one chunk, a thread all N states of a channel.
 * Floor: one exponential and three multiply-adds a state update; 16 bytes of traffic per token and channel.
 */
export function selectiveScan(backend: Backend, scan: Scan, Q: number, carry?: tf.TensorInfo): tf.TensorInfo {
  const { x, delta, A, B, C, D, z, softplus, logarithmic = false } = scan;
  const { batch, L, E, N } = scanSizes(scan);
  const chunks = groupsFor(L, Q);
  return dispatch(backend, {
    name: 'selective scan',
    inputs: { x, delta, A, B, C, D, z, carry },
    output: x.shape,
    parts: { B: batch * L * N, C: batch * L * N, z: batch * L * E },
    constants: { N, Q, softplus, logarithmic },
    uniforms: { L, E, chunks, ...scanColumns(scan, z ? ['z', 'B', 'C'] : ['B', 'C']) },
    threads: 64,
    groups: [groupsFor(E, 64), chunks, batch],
    code: code(scan, carry !== undefined),
  });
}
