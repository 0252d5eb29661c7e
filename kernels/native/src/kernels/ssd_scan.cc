// The SSD recurrence of Mamba-2, float32, in chunks:
//   S_t = exp(Δ_t A_h) S_{t-1} + Δ_t x_t B_t[g]ᵀ,  y_t = S_t C_t[g] + D_h x_t,  g = floor(h/(H/G))
// ssdScan(x, delta, A, B, C, D|null, S|null, y, last|null, batch, L, H, P, G, N, rowX, rowB)
// x, y [batch,L,H,P]; delta [batch,L,H]; A, D [H]; B, C [batch,L,G,N]; S, the state before the first token (0 where null),
// and last, the state after the last one, [batch,H,P,N]. Tokens of x are rowX apart, those of B and C rowB.
//
// Within a chunk of q tokens, with the state S before it,
//   y_i = [e_i C_i | M_i] [S ; x],  M_ij = (C_i.B_j) Δ_j exp(A Σ_{j<k<=i} Δ_k) for j <= i (+ D_h on the diagonal)
// is one matrix product; so is the step of the state to the next chunk. A task is one head of one sequence.
// Floor: 2 L H P (2 N + q/2) operations at the speed of register tiles: 2.2 ms for L=512, H=24, P=64, N=128 at 200 GFLOP/s.
#include "../core/kernel.h"
#include "ssd.inc"

KERNELS_BEGIN

KERNEL(ssdScan) {
  const SsdArguments s(args);
  const float* S = args.floats(6);
  float *y = args.floats(7), *last = args.floats(8);
  const long N = s.N, P = s.P, width = padded(P), depth = N + CHUNK;
  float* dots = workspace(0, s.dotsSize());
  s.computeDots(dots);
  parallelFor(s.batch * s.H, [&](long task) {
    const long b = task / s.H, h = task % s.H, g = s.groupOf(h);
    float* left = workspace(1, CHUNK * depth);       // rows [e_i C_i | M_i]
    float* right = workspace(2, depth * width);      // the state above x
    float* scaled = workspace(3, CHUNK * width);
    const vi lanes = laneNumbers();
    s.loadState(S, b, h, right);
    for (long c = 0; c < s.chunks(); c++) {
      const long t0 = c * CHUNK;
      const ChunkDecays d = s.decays(b, c, h);
      const float *group = s.dotsAt(dots, b, c, g), *C = s.CAt(b, t0, g);
      for (long i = 0; i < d.length; i++) {
        float* row = left + i * depth;
        for (long n = 0; n < N; n += LANES)
          storePart(row + n, splat(d.fromStart[i]) * loadPart(C + i * s.rowB + n, N - n), N - n);
        for (long j = 0; j < CHUNK; j += LANES)
          store(row + N + j, j > i ? vf{} : d.between(i, j, lanes) * load(group + i * CHUNK + j) * load(d.step + j));
        if (s.D) row[N + i] += s.D[h];
      }
      copyRows(right + N * width, width, s.xAt(b, t0, h), s.rowX, d.length, P, [](long) { return 1.f; });
      product(d.length, P, Factor{left, depth, 1}, right, width, y + s.yAt(b, t0, h), s.rowOfY(), false,
              [](long) { return 0L; }, [&](long i, long m) { return N + i + m; });
      if (last || c + 1 < s.chunks()) s.advance(right, scaled, d, b, c, h);
    }
    if (last) s.storeState(last, b, h, right);
  });
}

KERNELS_END
