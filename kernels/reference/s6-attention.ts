import type { Real } from './real';

/** How the E channels become one map: signed mean, mean of magnitudes, or one channel's own map. */
export type ChannelReduction = 'mean' | 'mean_abs' | { readonly channel: number };

/** Row-major arrays of one sequence; shapes in brackets. */
export interface S6AttentionInput {
  readonly L: number;
  readonly E: number;
  readonly N: number;
  /** [L,E], after softplus. */
  readonly delta: Real;
  /** [E,N] */
  readonly A: Real;
  /** [L,N] */
  readonly B: Real;
  /** [L,N] */
  readonly C: Real;
}

/**
 * Implicit attention of the S6 recurrence (equations C1). For target i, source j ≤ i and channel e
 *
 *     α_e[i,j] = Δ_j[e] Σ_n C_i[n] B_j[n] exp(A[e,n] Σ_{k=j+1..i} Δ_k[e])
 *
 * reduced over channels to [L,L], zero above the diagonal; the D skip is left out. Cost O(E·L²·N).
 */
export function s6Attention(input: S6AttentionInput, reduce: ChannelReduction): Float64Array {
  const { L, E, N, delta, A, B, C } = input;
  const map = new Float64Array(L * L);
  const single = typeof reduce === 'object';
  const first = single ? reduce.channel : 0;
  const last = single ? reduce.channel : E - 1;
  const magnitude = reduce === 'mean_abs';
  const kernel = new Float64Array(N);
  for (let e = first; e <= last; e++) {
    for (let j = 0; j < L; j++) {
      for (let n = 0; n < N; n++) kernel[n] = delta[j * E + e] * B[j * N + n];
      for (let i = j; i < L; i++) {
        let alpha = 0;
        for (let n = 0; n < N; n++) {
          if (i > j) kernel[n] *= Math.exp(delta[i * E + e] * A[e * N + n]);
          alpha += C[i * N + n] * kernel[n];
        }
        map[i * L + j] += magnitude ? Math.abs(alpha) : alpha;
      }
    }
  }
  return single ? map : map.map((sum) => sum / E);
}
