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
  const long L = m.L, E = m.E(), width = m.width(), nearest = args.integer(6), tasks = ceilDiv(L, ROWS);
  float* memory = workspace(0, HeadGroup::floats(m) + tasks * E * ROW_SUMS);
  float* partial = memory + HeadGroup::floats(m);
  clear(partial, tasks * E * ROW_SUMS);
  const vi lanes = laneNumbers();
  eachHeadGroup(m, memory, [&](const HeadGroup& group) {
    parallelFor(tasks, [&](long task) {
      const long i0 = task * ROWS, rows = minimum(ROWS, L - i0);
      float* dots = workspace(1, ROWS * (width + m.alphaWidth()));
      float* alpha = dots + ROWS * width;
      group.eachChannel(i0, rows, dots, alpha, [&](long e, const float* fold) {
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
      });
    });
  });
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
