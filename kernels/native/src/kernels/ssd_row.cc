// What every source token brings to an SSD scan's output at the last of L tokens, by channel, float32:
// ssdRow(x, weight, bias|null, scale, sources, free|null, delta, A, B, C, D, L, E, K, H, G, N)
// x, sources [L,E]; weight [E,1,K]; bias, scale, free [E]; delta [L,H]; A, D [H]; B [L,G,N]; C of the last token [G,N].
//
// α_k = Δ_k (C.B_k[g]) exp(A_h Σ_{k<l<=L-1} Δ_l), once a head; see source_row.inc for the rest.
// Floor: 8 bytes of traffic and about 45 instructions for each vector of sources; L (G N + H) operations for the reads.
#include "../core/kernel.h"
#include "source_row.inc"

KERNELS_BEGIN

KERNEL(ssdRow) {
  const RowFold fold(args);
  const float *delta = args.floats(6), *A = args.floats(7), *B = args.floats(8), *C = args.floats(9), *D = args.floats(10);
  const long L = fold.conv.L, E = fold.conv.E;
  const long H = args.integer(3), G = args.integer(4), N = args.integer(5), P = E / H;
  float* reads = workspace(kRowReads, L * H + G);
  float* dots = reads + L * H;
  // Elapsed time of each head, then what it reads; from the last token on.
  float* elapsed = workspace(kRowReads + 2, H + LANES);
  for (long h = 0; h < H; h++) elapsed[h] = 0;
  for (long k = L - 1; k >= 0; k--) {
    for (long g = 0; g < G; g++) {
      vf sum = vf{};
      for (long n = 0; n < N; n += LANES)
        sum += loadPart(C + g * N + n, N - n) * loadPart(B + (k * G + g) * N + n, N - n);
      dots[g] = sumLanes(sum);
    }
    for (long h = 0; h < H; h += LANES) {
      const long lanes = minimum(LANES, H - h);
      vf dot = vf{};
      for (long lane = 0; lane < lanes; lane++) dot[lane] = dots[(h + lane) / (H / G)];
      const vf step = loadPart(delta + k * H + h, lanes), past = loadPart(elapsed + h, lanes);
      vf read = step * dot * vexp(loadPart(A + h, lanes) * past);
      if (k == L - 1) read += loadPart(D + h, lanes);
      storePart(reads + k * H + h, read, lanes);
      storePart(elapsed + h, past + step, lanes);
    }
  }
  const long width = fold.blockWidth(), stride = width * LANES;
  parallelFor(ceilDiv(E, stride), [&](long task) {
    const long first = task * stride, vectors = minimum(width, ceilDiv(E - first, LANES));
    float* taps = workspace(kRowBlock, fold.blockFloats(width));
    float* through = taps + fold.conv.K * stride;
    fold.conv.loadTaps(first, width, taps);
    for (long k = 0; k < L; k++)
      for (long v = 0; v < vectors; v++) {
        const long e = first + v * LANES, lanes = minimum(LANES, E - e);
        vf read = splat(reads[k * H + e / P]);
        if ((e + lanes - 1) / P != e / P)
          for (long lane = 0; lane < lanes; lane++) read[lane] = reads[k * H + (e + lane) / P];
        store(through + k * stride + v * LANES, read * fold.slope(k, e, lanes, taps + v * LANES, stride));
      }
    fold.finish(first, vectors, taps, through, stride);
  });
}

KERNELS_END
