import type * as tf from '@tensorflow/tfjs';
import { alone, type Columns, columnAt, columnUniforms } from '../columns';
import { type Backend, dispatch, groupsFor } from '../program';

/** result[m,n] = Σ_k lhs(m,k) · rhs(k,n) + bias[n]. */
export interface Product {
  readonly lhs: tf.TensorInfo;
  readonly rhs: tf.TensorInfo;
  readonly bias?: tf.TensorInfo;
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Whether lhs lies as [K,M], rhs as [N,K]. */
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Where lhs lies; default an array of its own. */
  readonly columns?: Columns;
  readonly shape: readonly number[];
}

/** Sides of the result that a workgroup of 256 threads makes, sides of a thread's share of it, and depth staged at a time. */
interface Tiling {
  readonly side: number;
  readonly share: 4 | 8;
  readonly step: number;
}

const THREADS = 256;

/** Each thread stages one vector of four of either side at a time: side · step / 4 = 256. */
const [LARGE, SMALL]: readonly Tiling[] = [
  { side: 128, share: 8, step: 8 },
  { side: 64, share: 4, step: 16 },
];

/** Workgroups that fill a large GPU (132 multiprocessors); with fewer the small tiles have four times as many. */
const FEW_GROUPS = 128;

export const tilingOf = (M: number, N: number): Tiling =>
  groupsFor(M, LARGE.side) * groupsFor(N, LARGE.side) >= FEW_GROUPS ? LARGE : SMALL;

/** Four elements of an operand, one staged vector: `at` counts along the tile, `k` along the depth. */
function staged(name: 'lhs' | 'rhs', alongK: boolean, { side, step }: Tiling): string {
  const [k, at] = alongK ? [`me % ${step}`, `me / ${step} * 4`] : [`me / ${side / 4}`, `me % ${side / 4} * 4`];
  const read = (i: number) => `${name}At(first + k, ${name}Start + at + ${i})`;
  return `{
      let k = ${k};
      let at = ${at};
      ${name}Tile[k * ${side / 4} + at / 4] = vec4<f32>(${[0, 1, 2, 3].map(read).join(', ')});
    }`;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const PARTS = ['x', 'y', 'z', 'w'] as const;

function code({ transposeA, transposeB, bias }: Product, tiling: Tiling): string {
  const { side, share, step } = tiling;
  const [quarter, vectors, row] = [side / 4, share / 4, side / share];
  const sums = range(share).flatMap((i) => range(vectors).map((v) => `s${i}_${v}`));
  // A thread's rows and columns are vectors of four, side / 2 apart, so that neighbours read neighbouring words.
  const vectorAt = (lane: string, v: number) => `${lane} + ${(v * side) / 8}`;
  const multiply = range(share).flatMap((i) =>
    range(vectors).map((v) => `s${i}_${v} += a${i >> 2}.${PARTS[i & 3]} * b${v};`),
  );
  const write = range(share).flatMap((i) =>
    range(vectors).flatMap((v) =>
      range(4).map(
        (j) =>
          `write(lhsStart + (${vectorAt('laneRow', i >> 2)}) * 4 + ${i & 3}, rhsStart + (${vectorAt('laneColumn', v)}) * 4 + ${j}, s${i}_${v}.${PARTS[j]});`,
      ),
    ),
  );
  return `
var<workgroup> lhsTile: array<vec4<f32>, ${step * quarter}>;
var<workgroup> rhsTile: array<vec4<f32>, ${step * quarter}>;
fn lhsAt(k: i32, m: i32) -> f32 {
  if (k >= uniforms.K || m >= uniforms.M) { return 0.0; }
  return ${transposeA ? columnAt('lhs', 'k', 'm') : columnAt('lhs', 'm', 'k')};
}
fn rhsAt(k: i32, n: i32) -> f32 {
  if (k >= uniforms.K || n >= uniforms.N) { return 0.0; }
  return rhsValue(${transposeB ? 'n * uniforms.K + k' : 'k * uniforms.N + n'});
}
fn write(m: i32, n: i32, value: f32) {
  if (m < uniforms.M && n < uniforms.N) { result[m * uniforms.N + n] = value${bias ? ' + bias[n]' : ''}; }
}
fn main(index: i32) {
  let me = i32(localIndex);
  let lhsStart = i32(workgroupId.y) * ${side};
  let rhsStart = i32(workgroupId.x) * ${side};
  let laneRow = me / ${row};
  let laneColumn = me % ${row};
  ${sums.map((sum) => `var ${sum} = vec4<f32>();`).join('\n  ')}
  for (var first = 0; first < uniforms.K; first += ${step}) {
    ${staged('lhs', !transposeA, tiling)}
    ${staged('rhs', transposeB, tiling)}
    workgroupBarrier();
    for (var k = 0; k < ${step}; k++) {
      ${range(vectors)
        .flatMap((v) => [
          `let a${v} = lhsTile[k * ${quarter} + ${vectorAt('laneRow', v)}];`,
          `let b${v} = rhsTile[k * ${quarter} + ${vectorAt('laneColumn', v)}];`,
        ])
        .join('\n      ')}
      ${multiply.join('\n      ')}
    }
    workgroupBarrier();
  }
  ${write.join('\n  ')}
}`;
}

/**
 * A product of matrices in tiles of workgroup memory and registers. Large tiles (128×128, 8×8 a thread) read 4 vectors of
 * workgroup memory for 64 multiply-adds, small ones (64×64, 4×4 a thread) 2 for 16; both keep a multiprocessor's
 * multiply-adds busy: a warp's vectors are 4 of its cycles' reads for 16 cycles of multiply-adds, 2 for 4. A thread of large tiles keeps 64 sums
 * and 16 operands in registers, two workgroups a multiprocessor.
 * Floor: 2·M·N·K flops; each operand is read once for every tile across it.
 */
export function product(backend: Backend, what: Product): tf.TensorInfo {
  const { lhs, rhs, bias, M, N, K, transposeA, transposeB, columns } = what;
  const tiling = tilingOf(M, N);
  return dispatch(backend, {
    name: 'product',
    inputs: { lhs, rhs, bias },
    weight: 'rhs',
    output: what.shape,
    parts: { lhs: M * K },
    constants: { side: tiling.side, transposeA, transposeB },
    uniforms: { M, N, K, ...columnUniforms('lhs', columns ?? alone(transposeA ? M : K)) },
    threads: THREADS,
    groups: [groupsFor(N, tiling.side), groupsFor(M, tiling.side)],
    flops: 2 * M * N * K,
    code: code(what, tiling),
  });
}
