// cumsum(x, y, outer, length, inner, exclusive, reverse): running sums along the middle axis.
// Floor: 8 bytes of traffic per element; with inner = 1 one addition's latency per element and row.
#include "../core/kernel.h"

KERNELS_BEGIN

KERNEL(cumsum) {
  const long outer = args.integer(0), length = args.integer(1), inner = args.integer(2);
  const bool exclusive = args.integer(3) != 0, reverse = args.integer(4) != 0;
  const long slab = 4 * LANES, slabs = ceilDiv(inner, slab);
  parallelRanges(outer * slabs, maximum(1, 16384 / maximum(1, length * minimum(slab, inner))), [&](long begin, long end) {
    for (long item = begin; item < end; item++) {
      const long base = item / slabs * length * inner, c0 = item % slabs * slab, c1 = minimum(inner, c0 + slab);
      if (inner == 1) {
        double sum = 0;
        for (long t = 0; t < length; t++) {
          const long i = base + (reverse ? length - 1 - t : t);
          const float x = args.floats(0)[i];
          args.floats(1)[i] = static_cast<float>(exclusive ? sum : sum + x);
          sum += x;
        }
        continue;
      }
      vf sum[4] = {};
      for (long t = 0; t < length; t++) {
        const long row = base + (reverse ? length - 1 - t : t) * inner;
        for (long c = c0, v = 0; c < c1; c += LANES, v++) {
          const vf next = sum[v] + loadPart(args.floats(0) + row + c, c1 - c);
          storePart(args.floats(1) + row + c, exclusive ? sum[v] : next, c1 - c);
          sum[v] = next;
        }
      }
    }
  });
}

KERNELS_END
