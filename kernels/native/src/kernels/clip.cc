// clip(x, y, low, high): y = min(max(x, low), high), NaN stays NaN. Floor: 8 bytes of traffic per element.
#include "../core/kernel.h"

KERNELS_BEGIN

KERNEL(clip) {
  const float* x = args.floats(0);
  float* y = args.floats(1);
  const vf low = splat(args.number(0)), high = splat(args.number(1));
  parallelRanges(args.lengths[1], 16384, [&](long begin, long end) {
    for (long i = begin; i < end; i += LANES)
      storePart(y + i, vmin(high, vmax(low, loadPart(x + i, end - i))), end - i);
  });
}

KERNELS_END
