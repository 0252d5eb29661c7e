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
  const long L = m.L, width = m.width(), first = args.integer(6), count = args.integer(7), height = L - first;
  eachHeadGroup(m, workspace(0, HeadGroup::floats(m)), [&](const HeadGroup& group) {
    parallelFor(ceilDiv(height, ROWS), [&](long task) {
      const long i0 = first + task * ROWS, rows = minimum(ROWS, L - i0);
      float* dots = workspace(1, ROWS * (width + m.alphaWidth()));
      float* alpha = dots + ROWS * width;
      group.eachChannel(i0, rows, dots, alpha, [&](long e, const float* fold) {
        for (long r = 0; r < rows; r++) {
          const vf factor = splat(m.target[(i0 + r) * m.E() + e]);
          float* row = out + (e * height + i0 + r - first) * count;
          for (long j = 0; j < count; j += LANES)
            storePart(row + j, factor * m.folded(alpha + r * m.alphaWidth(), fold, first + j), count - j);
        }
      });
    });
  });
}

KERNELS_END
