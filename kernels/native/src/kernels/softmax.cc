// Softmax of every row: softmax(x, y, rows, columns).
// Floor: one pass over x and two over y at cache bandwidth, one exponential per element.
#include "../core/kernel.h"

KERNELS_BEGIN

void softmaxRow(const float* x, float* y, long n) {
  vf largest = splat(-__builtin_inff());
  long i = 0;
  for (; i + LANES <= n; i += LANES) largest = vmaxNan(largest, load(x + i));
  float top = maxLanes(largest);
  for (; i < n; i++) top = (top != top || top > x[i]) ? top : x[i];
  vf sum{};
  for (i = 0; i + LANES <= n; i += LANES) {
    const vf e = vexp(load(x + i) - splat(top));
    sum += e;
    store(y + i, e);
  }
  float total = sumLanes(sum);
  if (i < n) {
    storePart(y + i, vexp(loadPart(x + i, n - i) - splat(top)), n - i);
    for (; i < n; i++) total += y[i];
  }
  const vf scale = splat(1.f / total);
  for (i = 0; i < n; i += LANES) storePart(y + i, loadPart(y + i, n - i) * scale, n - i);
}

KERNEL(softmax) {
  const float* x = args.floats(0);
  float* y = args.floats(1);
  const long rows = args.integer(0), columns = args.integer(1);
  parallelRanges(rows, 8192 / maximum(columns, 1), [&](long begin, long end) {
    for (long r = begin; r < end; r++) softmaxRow(x + r * columns, y + r * columns, columns);
  });
}

KERNELS_END
