/** Rows and columns of the tile that a workgroup multiplies at a time, by 64 threads of 4×4 elements each. */
export const TILE = 32;
export const TILE_THREADS = 64;

/** Depth that is staged in workgroup memory at a time: 4 KB for both sides. */
const STEP = 16;

/** Workgroup memory of {@link multiplier}, and the rows and columns of a thread: 4 from `tileRow()`, 4 from `tileColumn()`. */
export const TILE_PRELUDE = `
var<workgroup> lhsTile: array<vec4<f32>, ${(STEP * TILE) / 4}>;
var<workgroup> rhsTile: array<vec4<f32>, ${(STEP * TILE) / 4}>;
fn tileRow() -> i32 { return i32(localIndex) / 8 * 4; }
fn tileColumn() -> i32 { return i32(localIndex) % 8 * 4; }
`;

export interface Multiplier {
  /** Name of the function that is made: `fn name(sum: ptr<function, array<vec4<f32>, 4>>, depth: i32)`. */
  readonly name: string;
  /** Names of functions `(row, k) -> f32` and `(k, column) -> f32`, zero beyond the edges. */
  readonly lhs: string;
  readonly rhs: string;
  /** Whether neighbours along k are neighbours in memory. */
  readonly lhsAlongK: boolean;
  readonly rhsAlongK: boolean;
}

/**
 * WGSL of a function that adds Σ_{k < depth} lhs(row, k) · rhs(k, column) to a workgroup's 32×32 tile, staged through
 * workgroup memory. To be called where control flow is uniform, with a uniform depth. `TILE_PRELUDE` must come first.
 */
export function multiplier({ name, lhs, rhs, lhsAlongK, rhsAlongK }: Multiplier): string {
  const place = (alongK: boolean) =>
    alongK ? `let k = f % ${STEP}; let at = f / ${STEP} * 4;` : `let k = f / 8; let at = f % 8 * 4;`;
  return `
fn ${name}(sum: ptr<function, array<vec4<f32>, 4>>, depth: i32) {
  for (var first = 0; first < depth; first += ${STEP}) {
    for (var f = i32(localIndex); f < ${(STEP * TILE) / 4}; f += ${TILE_THREADS}) {
      var four = vec4<f32>();
      {
        ${place(lhsAlongK)}
        for (var i = 0; i < 4; i++) { four[i] = ${lhs}(at + i, first + k); }
        lhsTile[k * 8 + at / 4] = four;
      }
      {
        ${place(rhsAlongK)}
        for (var i = 0; i < 4; i++) { four[i] = ${rhs}(first + k, at + i); }
        rhsTile[k * 8 + at / 4] = four;
      }
    }
    workgroupBarrier();
    for (var k = 0; k < ${STEP}; k++) {
      let a = lhsTile[k * 8 + i32(localIndex) / 8];
      let b = rhsTile[k * 8 + i32(localIndex) % 8];
      (*sum)[0] += a.x * b;
      (*sum)[1] += a.y * b;
      (*sum)[2] += a.z * b;
      (*sum)[3] += a.w * b;
    }
    workgroupBarrier();
  }
}`;
}
