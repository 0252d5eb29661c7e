// select(condition, a, b, y, inner): y[i] = condition[i / inner] ? a[i] : b[i], condition one byte per element.
// Floor: 13 bytes of traffic per element.
#include "../core/kernel.h"
#include "bytes.inc"

KERNELS_BEGIN

KERNEL(select) {
  const uint8_t* condition = args.bytes(0);
  const float* a = args.floats(1);
  const float* b = args.floats(2);
  float* y = args.floats(3);
  const long inner = args.integer(0);
  parallelRanges(args.lengths[3], 16384, [&](long begin, long end) {
    if (inner == 1)
      for (long i = begin; i < end; i += LANES) {
        const long n = end - i;
        storePart(y + i, select(loadMask(condition + i, n), loadPart(a + i, n), loadPart(b + i, n)), n);
      }
    else
      for (long i = begin; i < end; i++) y[i] = condition[i / inner] ? a[i] : b[i];
  });
}

KERNELS_END
