// Columns of the folded S6 maps of every channel, unreduced (s6_block.inc has the map):
// s6BlockColumns(delta, A, B, C, D, source, taps, target, weight, out, L, E, N, K, first, count): out [E][L-first][count],
// row r of a channel being target first + r; zero on entry.
//
// Floor: that of s6BlockAttention for these columns, and one store of the result.
#include "../core/kernel.h"
#include "s6_block.inc"

KERNELS_BEGIN

KERNEL(s6BlockColumns) {
  const S6Block m(args);
  float* out = args.floats(9);
  const long first = args.integer(4), count = args.integer(5), rows = m.L - first;
  parallelFor(m.E, [&](long e) {
    float* channel = workspace(1, m.channelFloats());
    float* scratch = workspace(2, m.stripFloats(rows));
    m.loadChannel(e, channel);
    for (long j0 = first; j0 < first + count; j0 += STRIP) {
      const long columns = minimum(STRIP, first + count - j0);
      const BlockStrip strip(m, channel, e, j0, scratch);
      const long end = strip.run();
      for (long i = j0; i < end; i++)
        for (long v = 0; v < columns; v += LANES) {
          const vf value = load(strip.y + (i - j0) * STRIP + v) * splat(strip.target[i]);
          storePart(out + (e * rows + i - first) * count + j0 - first + v, value, columns - v);
        }
    }
  });
}

KERNELS_END
