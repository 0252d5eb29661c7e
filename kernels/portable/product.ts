interface Sizes {
  readonly batch: number;
  readonly M: number;
  readonly K: number;
  readonly N: number;
}

/**
 * Products of matrices, op(A)·op(B) for each of a batch; one A or B may serve the whole batch.
 * @param a values of `[batch or 1, M, K]`, with `transposeA` `[batch or 1, K, M]`
 * @param b values of `[batch or 1, K, N]`, with `transposeB` `[batch or 1, N, K]`
 * @returns values of `[batch, M, N]`, each summed in float64 in the order of K and rounded once
 */
export function product(
  a: Float32Array,
  b: Float32Array,
  { batch, M, K, N }: Sizes,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Float32Array {
  const out = new Float32Array(batch * M * N);
  if (out.length === 0 || K === 0) return out;
  for (let n = 0; n < batch; n++) {
    const A = a.subarray((n * M * K) % a.length).subarray(0, M * K);
    const B = b.subarray((n * K * N) % b.length).subarray(0, K * N);
    const rows = transposeA ? transposed(A, K, M) : A;
    (transposeB ? byDots : bySums)(rows, B, out.subarray(n * M * N, (n + 1) * M * N), M, K, N);
  }
  return out;
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j];
  return out;
}

/** B of `[N, K]`: four of its rows at a time meet a row of A. */
function byDots(A: Float32Array, B: Float32Array, out: Float32Array, M: number, K: number, N: number): void {
  for (let i = 0; i < M; i++) {
    const row = i * K;
    let j = 0;
    for (; j + 4 <= N; j += 4) {
      const [b0, b1, b2, b3] = [j * K, (j + 1) * K, (j + 2) * K, (j + 3) * K];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let k = 0; k < K; k++) {
        const x = A[row + k];
        s0 += x * B[b0 + k];
        s1 += x * B[b1 + k];
        s2 += x * B[b2 + k];
        s3 += x * B[b3 + k];
      }
      const to = i * N + j;
      out[to] = s0;
      out[to + 1] = s1;
      out[to + 2] = s2;
      out[to + 3] = s3;
    }
    for (; j < N; j++) {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += A[row + k] * B[j * K + k];
      out[i * N + j] = sum;
    }
  }
}

/** B of `[K, N]`: its rows are added up, each times a value of A. */
function bySums(A: Float32Array, B: Float32Array, out: Float32Array, M: number, K: number, N: number): void {
  const sums = new Float64Array(N);
  for (let i = 0; i < M; i++) {
    sums.fill(0);
    for (let k = 0; k < K; k++) {
      const x = A[i * K + k];
      const row = k * N;
      for (let j = 0; j < N; j++) sums[j] += x * B[row + j];
    }
    out.set(sums, i * N);
  }
}
