import type { Real } from './real';

/** How the H heads become one map: signed mean, mean of magnitudes, or one head's own map. */
export type HeadReduction = 'mean' | 'mean_abs' | { readonly head: number };

/** Row-major arrays of one sequence; shapes in brackets. */
export interface SsdAttentionInput {
  readonly L: number;
  readonly H: number;
  readonly G: number;
  readonly N: number;
  /** [L,H], after softplus and clamp. */
  readonly delta: Real;
  /** [H] */
  readonly A: Real;
  /** [L,G,N] */
  readonly B: Real;
  /** [L,G,N] */
  readonly C: Real;
}

/**
 * Implicit attention of the SSD recurrence (equations C3). For target i, source j ≤ i and head h of group g
 *
 *     α_h[i,j] = Δ_j[h] (C_i[g]·B_j[g]) exp(A_h Σ_{k=j+1..i} Δ_k[h])
 *
 * reduced over heads to [L,L], zero above the diagonal; the D skip is left out. Cost O(H·L² + G·L²·N).
 */
export function ssdAttention(input: SsdAttentionInput, reduce: HeadReduction): Float64Array {
  const { L, H, G, N, delta, A, B, C } = input;
  const map = new Float64Array(L * L);
  const single = typeof reduce === 'object';
  const heads = single ? [reduce.head] : Array.from({ length: H }, (_, h) => h);
  for (let j = 0; j < L; j++) {
    const decay = new Float64Array(H).fill(1);
    for (let i = j; i < L; i++) {
      const products = new Float64Array(G);
      for (let g = 0; g < G; g++) {
        for (let n = 0; n < N; n++) products[g] += C[(i * G + g) * N + n] * B[(j * G + g) * N + n];
      }
      for (const h of heads) {
        if (i > j) decay[h] *= Math.exp(A[h] * delta[i * H + h]);
        const alpha = delta[j * H + h] * products[Math.floor(h / (H / G))] * decay[h];
        map[i * L + j] += reduce === 'mean_abs' ? Math.abs(alpha) : alpha;
      }
    }
  }
  return single ? map : map.map((sum) => sum / H);
}
