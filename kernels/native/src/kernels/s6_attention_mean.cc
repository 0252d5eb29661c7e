// Channel mean of the S6 attention by matrix products, for targets i and sources j <= i:
//   M[i,j] = 1/E Σ_e Σ_n C_i[n] Δ_j[e] B_j[n] exp(A[e,n] (S_i[e] - S_j[e])),  S = running sum of Δ
// s6AttentionMean(delta, A, B, C, map, turned, L, E, N); delta [L,E], not negative; A [E,N], not positive; B, C [L,N]; map
// [L,L]; turned: scratch [E,L].
//
// Floor: E N L² operations at the speed of register tiles (32 ms for L=512, E=1536, N=16 at 200 GFLOP/s) where nothing
// is left out, and two exponentials for each token, channel and state.
#include "../core/kernel.h"
#include "s6_attention.inc"
#include "s6_products.inc"

KERNELS_BEGIN

KERNEL(s6AttentionMean) {
  S6Products<false> sum{};
  sum.delta = args.floats(0), sum.A = args.floats(1), sum.B = args.floats(2), sum.C = args.floats(3);
  sum.map = args.floats(4), sum.turned = args.floats(5);
  sum.L = args.integer(0), sum.E = args.integer(1), sum.N = args.integer(2), sum.K = 1;
  sum.run();
  scaleMap(sum.map, sum.L * sum.L, 1.f / static_cast<float>(sum.E));
}

KERNELS_END
