// The SSD recurrence of Mamba-2, float32, in chunks:
//   S_t = exp(Δ_t A_h) S_{t-1} + Δ_t x_t B_t[g]ᵀ,  y_t = S_t C_t[g] + D_h x_t,  g = floor(h/(H/G))
// ssdScan(x, delta, A, B, C, D|null, S|null, y, last|null, batch, L, H, P, G, N, rowX, rowB)
// x, y [batch,L,H,P]; delta [batch,L,H]; A, D [H]; B, C [batch,L,G,N]; S, the state before the first token (0 where null),
// and last, the state after the last one, [batch,H,P,N]. Tokens of x are rowX apart, those of B and C rowB.
//
// Within a chunk of q tokens, with the state S before it,
//   y_i = e_i C_i S + M_i x,  M_ij = (C_i.B_j) Δ_j exp(A Σ_{j<k<=i} Δ_k) for j <= i (+ D_h on the diagonal)
// A task is some heads of one group of one sequence, side by side: C S and the step of the states to the next chunk are one
// wide product each.
// Floor: 2 L H P (2 N + q/2) operations at the speed of register tiles: 2.2 ms for L=512, H=24, P=64, N=128 at 200 GFLOP/s.
#include "../core/kernel.h"
#include "ssd_scan.inc"

KERNELS_BEGIN

KERNEL(ssdScan) { ssdScan(SsdArguments(args), args.floats(6), args.floats(7), args.floats(8), threadCount()); }

KERNELS_END
