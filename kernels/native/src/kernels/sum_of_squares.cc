// sumOfSquares(x, sum): Σ x² in float64, as two floats whose sum it is (to 48 bits). Values do not depend on the number of threads.
// Floor: one pass over x.
#include "../core/kernel.h"

KERNELS_BEGIN

enum : long { RUN = 8192, HALF_LANES = LANES / 2, SUMS = 4 };
typedef double vd __attribute__((vector_size(HALF_LANES * 8)));
typedef float halfMemory __attribute__((vector_size(HALF_LANES * 4), aligned(4), may_alias));

double squaresOf(const float* x, long count) {
  vd part[SUMS] = {};
  long i = 0;
  for (; i + SUMS * HALF_LANES <= count; i += SUMS * HALF_LANES)
    for (long k = 0; k < SUMS; k++) {
      const vd value = __builtin_convertvector(*reinterpret_cast<const halfMemory*>(x + i + k * HALF_LANES), vd);
      part[k] += value * value;
    }
  const vd all = (part[0] + part[1]) + (part[2] + part[3]);
  double sum = 0;
  for (long lane = 0; lane < HALF_LANES; lane++) sum += all[lane];
  for (; i < count; i++) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

KERNEL(sumOfSquares) {
  const float* x = args.floats(0);
  float* out = args.floats(1);
  const long count = static_cast<long>(args.lengths[0]), runs = maximum(1, ceilDiv(count, RUN));
  double* sums = reinterpret_cast<double*>(workspace(0, 2 * runs));
  parallelFor(runs, [&](long run) { sums[run] = squaresOf(x + run * RUN, minimum(RUN, count - run * RUN)); });
  double total = 0;
  for (long run = 0; run < runs; run++) total += sums[run];
  out[0] = static_cast<float>(total);
  out[1] = static_cast<float>(total - static_cast<double>(out[0]));
}

KERNELS_END
