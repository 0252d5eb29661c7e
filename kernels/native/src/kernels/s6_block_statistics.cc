// Where each channel's folded S6 map has its magnitudes (s6_block.inc has the map):
// s6BlockStatistics(delta, A, B, C, D, source, taps, target, weight, out, L, E, N, K, nearest): out [E][5], means over the
// rows that are not zero of: entropy of the row's magnitudes in nats, share of source 0, share of the last `nearest`
// sources, distance in tokens; and the largest magnitude.
//
// Floor: that of s6BlockAttention and a logarithm (35 instructions) for each vector of the triangle, so about 2.5 times it.
#include "../core/kernel.h"
#include "row_statistics.inc"
#include "s6_block.inc"

KERNELS_BEGIN

KERNEL(s6BlockStatistics) {
  const S6Block m(args);
  float* out = args.floats(9);
  const long L = m.L, nearest = args.integer(4);
  vi lanes[STRIP_VECTORS];
  for (int v = 0; v < STRIP_VECTORS; v++)
    for (int lane = 0; lane < LANES; lane++) lanes[v][lane] = v * LANES + lane;
  parallelFor(m.E, [&](long e) {
    float* channel = workspace(1, m.channelFloats());
    float* scratch = workspace(2, m.stripFloats(L));
    RowStatistics* rows = reinterpret_cast<RowStatistics*>(workspace(3, L * 4 * LANES));
    float* first = workspace(4, L);
    m.loadChannel(e, channel);
    __builtin_memset(rows, 0, L * sizeof(RowStatistics));
    __builtin_memset(first, 0, L * sizeof(float));
    vf largest{};
    for (long j0 = 0; j0 < L; j0 += STRIP) {
      const BlockStrip strip(m, channel, e, j0, scratch);
      const long end = strip.run();
      for (long i = j0; i < end; i++) {
        const vf factor = splat(strip.target[i]);
        for (int v = 0; v < STRIP_VECTORS; v++) {
          const vf value = load(strip.y + (i - j0) * STRIP + v * LANES) * factor;
          rows[i].add(value, i, j0, lanes[v], nearest);
          largest = vmaxNan(largest, vabs(value));
        }
        if (j0 == 0) first[i] = vabs(load(strip.y + i * STRIP) * factor)[0];
      }
    }
    float sums[ROW_SUMS] = {};
    for (long i = 0; i < L; i++) rows[i].finish(first[i], sums);
    sums[5] = maxLanes(largest);
    finishStatistics(sums, out + e * 5);
  });
}

KERNELS_END
