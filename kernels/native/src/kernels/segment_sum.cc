// segmentSum(x, segments, y, rows, inner, segmentCount): y[s, :] = sum of the rows r of x with segments[r] = s; rows whose
// segment is outside 0..segmentCount-1 are left out. The gradient of gather.
// Floor: writing y (zeros) and reading x once at memory bandwidth.
#include "../core/kernel.h"

KERNELS_BEGIN

KERNEL(segmentSum) {
  const float* x = args.floats(0);
  const int32_t* segments = args.ints(1);
  float* y = args.floats(2);
  const long rows = args.integer(0), inner = args.integer(1), segmentCount = args.integer(2);
  parallelRanges(segmentCount * inner, 65536, [&](long begin, long end) {
    for (long i = begin; i < end; i += LANES) storePart(y + i, vf{}, end - i);
  });
  // Threads own columns, so no two of them add to the same element.
  parallelRanges(inner, 64, [&](long begin, long end) {
    for (long r = 0; r < rows; r++) {
      const long segment = segments[r];
      if (segment < 0 || segment >= segmentCount) continue;
      float* to = y + segment * inner;
      for (long c = begin; c < end; c += LANES)
        storePart(to + c, loadPart(to + c, end - c) + loadPart(x + r * inner + c, end - c), end - c);
    }
  });
}

KERNELS_END
