// Columns of the folded SSD maps of every channel, unreduced (ssd_block.inc has the map):
// ssdBlockColumns(delta, A, B, C, D, source, taps, target, weight, out, L, H, P, G, N, K, first, count): out
// [E][L-first][count], row r of a channel being target first + r.
//
// Floor: that of ssdBlockAttention for these columns, and one store of the result. α is formed for whole rows: `count`
// should not be much smaller than a vector.
#include "../core/kernel.h"
#include "ssd_block.inc"

KERNELS_BEGIN

KERNEL(ssdBlockColumns) {
  const SsdBlock m(args);
  float* out = args.floats(9);
  const long L = m.L, P = m.P, width = m.width(), first = args.integer(6), count = args.integer(7), height = L - first;
  float* memory = workspace(0, HEADS_AT_ONCE * (m.sumFloats() + P * m.foldFloats()) + m.N * width);
  double* sums = reinterpret_cast<double*>(memory);
  float *folds = memory + HEADS_AT_ONCE * m.sumFloats(), *turned = folds + HEADS_AT_ONCE * P * m.foldFloats();
  for (long h0 = 0, heads = 0; h0 < m.H; h0 += heads) {
    heads = m.heads(h0);
    const long g = h0 / (m.H / m.G);
    transposeInto(turned, width, m.B + g * m.N, m.G * m.N, L, m.N);
    for (long k = 0; k < heads; k++) m.loadSums(h0 + k, sums + k * width);
    parallelFor(heads * P, [&](long k) { m.loadFold(h0 * P + k, folds + k * m.foldFloats()); });
    parallelFor(ceilDiv(height, ROWS), [&](long task) {
      const long i0 = first + task * ROWS, rows = minimum(ROWS, L - i0);
      float* dots = workspace(1, ROWS * (width + m.alphaWidth()));
      float* alpha = dots + ROWS * width;
      m.computeDots(g, i0, rows, turned, dots);
      for (long k = 0; k < heads; k++) {
        m.computeAlpha(h0 + k, i0, rows, sums + k * width, dots, alpha);
        for (long p = 0; p < P; p++) {
          const long e = (h0 + k) * P + p;
          const float* fold = folds + (k * P + p) * m.foldFloats();
          for (long r = 0; r < rows; r++) {
            const vf factor = splat(m.target[(i0 + r) * m.E() + e]);
            float* row = out + (e * height + i0 + r - first) * count;
            for (long j = 0; j < count; j += LANES)
              storePart(row + j, factor * m.folded(alpha + r * m.alphaWidth(), fold, first + j), count - j);
          }
        }
      }
    });
  }
}

KERNELS_END
