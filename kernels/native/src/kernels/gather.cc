// gather(x, indices, y, outer, rowsX, count, inner): y[o, i, :] = x[o, indices[i], :]. Indices must be within 0..rowsX-1.
// Floor: 8 bytes of traffic per element.
#include "../core/kernel.h"

KERNELS_BEGIN

KERNEL(gather) {
  const float* x = args.floats(0);
  const int32_t* indices = args.ints(1);
  float* y = args.floats(2);
  const long outer = args.integer(0), rowsX = args.integer(1), count = args.integer(2), inner = args.integer(3);
  parallelRanges(outer * count, 16384 / maximum(inner, 1), [&](long begin, long end) {
    for (long item = begin; item < end; item++) {
      const float* from = x + (item / count * rowsX + indices[item % count]) * inner;
      for (long c = 0; c < inner; c += LANES) storePart(y + item * inner + c, loadPart(from + c, inner - c), inner - c);
    }
  });
}

KERNELS_END
