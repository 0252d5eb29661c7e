// Where each channel's folded SSD map has its magnitudes (ssd_block.inc has the map):
// ssdBlockStatistics(delta, A, B, C, D, source, taps, target, weight, out, L, H, P, G, N, K, nearest): out [E][5], the
// statistics of s6BlockStatistics.
//
// Floor: that of ssdBlockAttention and a logarithm (35 instructions) for each vector of the triangle.
#include "../core/kernel.h"
#include "row_statistics.inc"
#include "ssd_block.inc"

KERNELS_BEGIN

KERNEL(ssdBlockStatistics) {
  const SsdBlock m(args);
  float* out = args.floats(9);
  const long L = m.L, P = m.P, E = m.E(), width = m.width(), nearest = args.integer(6), tasks = ceilDiv(L, ROWS);
  const long sumsSize = HEADS_AT_ONCE * m.sumFloats(), foldsSize = HEADS_AT_ONCE * P * m.foldFloats();
  float* memory = workspace(0, sumsSize + foldsSize + m.N * width + tasks * E * ROW_SUMS);
  double* sums = reinterpret_cast<double*>(memory);
  float *folds = memory + sumsSize, *turned = folds + foldsSize, *partial = turned + m.N * width;
  clear(partial, tasks * E * ROW_SUMS);
  const vi lanes = laneNumbers();
  for (long h0 = 0, heads = 0; h0 < m.H; h0 += heads) {
    heads = m.heads(h0);
    const long g = h0 / (m.H / m.G);
    transposeInto(turned, width, m.B + g * m.N, m.G * m.N, L, m.N);
    for (long k = 0; k < heads; k++) m.loadSums(h0 + k, sums + k * width);
    parallelFor(heads * P, [&](long k) { m.loadFold(h0 * P + k, folds + k * m.foldFloats()); });
    parallelFor(tasks, [&](long task) {
      const long i0 = task * ROWS, rows = minimum(ROWS, L - i0);
      float* dots = workspace(1, ROWS * (width + m.alphaWidth()));
      float* alpha = dots + ROWS * width;
      m.computeDots(g, i0, rows, turned, dots);
      for (long k = 0; k < heads; k++) {
        m.computeAlpha(h0 + k, i0, rows, sums + k * width, dots, alpha);
        for (long p = 0; p < P; p++) {
          const long e = (h0 + k) * P + p;
          const float* fold = folds + (k * P + p) * m.foldFloats();
          float* found = partial + (task * E + e) * ROW_SUMS;
          vf largest{};
          for (long i = i0; i < i0 + rows; i++) {
            const vf factor = splat(m.target[i * E + e]);
            const float* row = alpha + (i - i0) * m.alphaWidth();
            RowStatistics statistics{};
            for (long j = 0; j <= i; j += LANES) {
              const vf value = factor * m.folded(row, fold, j);
              statistics.add(value, i, j, lanes, nearest);
              largest = vmaxNan(largest, vabs(value));
            }
            statistics.finish(vabs(factor * m.folded(row, fold, 0))[0], found);
          }
          found[5] = maxLanes(largest);
        }
      }
    });
  }
  parallelFor(E, [&](long e) {
    float total[ROW_SUMS] = {};
    for (long task = 0; task < tasks; task++) {
      const float* found = partial + (task * E + e) * ROW_SUMS;
      for (long q = 0; q < 5; q++) total[q] += found[q];
      total[5] = found[5] > total[5] || found[5] != found[5] ? found[5] : total[5];
    }
    finishStatistics(total, out + e * 5);
  });
}

KERNELS_END
