// Gradients of the SSD scan, in chunks (equations of the recurrence: kernels/reference/ssd-scan.ts):
// ssdScanGrad(x, delta, A, B, C, D|null, S|null, dy, dlast|null, dx, ddelta, dA, dB, dC, dD|null, dS|null,
//             batch, L, H, P, G, N, rowX, rowB)
// S is the state before the first token and dlast the gradient of the one after the last, both 0 where null.
// Tokens of x and dx are rowX apart, those of B, C, dB and dC rowB.
//
// For a chunk with the state S before it and R = ∂loss/∂(state after it), with e_i the decay from the chunk's start, w_j
// the decay to its end, l_ij the decay from j to i, and K_ij = l_ij (dy_i.x_j) for j <= i:
//   dx_j = Δ_j u_j + D dy_j,  u_j = w_j R B_j + Σ_i l_ij (C_i.B_j) dy_i
//   dC_i = e_i S dy_i + Σ_j K_ij Δ_j B_j,   dB_j = Δ_j (w_j R x_j + Σ_i K_ij C_i)
//   ∂loss/∂S = e_end R + Σ_i e_i C_i dy_i
// The gradient of the log-decay of step t is what flows across it: from S or a token before t to the chunk's end or a
// token at or after t. It is summed from those flows alone, never as a difference of two large sums.
//
// A task is a few heads of one group of one sequence. They lie side by side, so that what meets B, C and the states is one
// wide product, and Σ over heads is inside it. Their dB and dC go to rows of the task's own, summed in the tasks' order, so
// that the result does not depend on the number of threads.
// Floor: 2 L H (6 N P + q P) + 2 L q N operations at the speed of register tiles: 2.8 times the forward scan.
#include "../core/kernel.h"
#include "ssd_scan_grad.inc"

KERNELS_BEGIN

KERNEL(ssdScanGrad) {
  const SsdArguments s(args);
  const SsdGradient gradient{s,  args.floats(6), args.floats(7), args.floats(8), args.floats(9), args.floats(10),
                             args.floats(15), nullptr};
  float *dA = args.floats(11), *dD = args.floats(14), *sums = workspace(2, 2 * s.batch * s.H);
  ssdGradients(gradient, slicesOf(s), args.floats(12), args.floats(13), sums, sums + s.batch * s.H);
  sumParts(dA, sums, s.batch, s.H, s.H);
  if (dD) sumParts(dD, sums + s.batch * s.H, s.batch, s.H, s.H);
}

KERNELS_END
