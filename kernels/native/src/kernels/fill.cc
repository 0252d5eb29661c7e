// fill(y, value). Floor: 4 bytes of traffic per element.
#include "../core/kernel.h"

KERNELS_BEGIN

KERNEL(fill) {
  float* y = args.floats(0);
  const float value = args.number(0);
  parallelRanges(args.lengths[0], 65536, [&](long begin, long end) {
    for (long i = begin; i < end; i += LANES) storePart(y + i, splat(value), end - i);
  });
}

KERNELS_END
