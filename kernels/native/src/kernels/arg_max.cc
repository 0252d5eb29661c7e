// argMax(x, y, rows, columns): index of the first largest element of every row; NaN is never larger.
// Floor: one pass over x.
#include "../core/kernel.h"

KERNELS_BEGIN

int32_t argMaxRow(const float* x, long n) {
  vf best = splat(x[0]);
  long i = 0;
  for (; i + LANES <= n; i += LANES) best = vmax(load(x + i), best);
  float top = x[0];
  for (long lane = 0; lane < LANES; lane++) top = best[lane] > top ? best[lane] : top;
  for (; i < n; i++) top = x[i] > top ? x[i] : top;
  for (i = 0; i < n; i++)
    if (x[i] == top) return static_cast<int32_t>(i);
  return 0;
}

KERNEL(argMax) {
  const float* x = args.floats(0);
  int32_t* y = args.ints(1);
  const long rows = args.integer(0), columns = args.integer(1);
  parallelRanges(rows, 16384 / maximum(columns, 1), [&](long begin, long end) {
    for (long r = begin; r < end; r++) y[r] = argMaxRow(x + r * columns, columns);
  });
}

KERNELS_END
