// Elementwise functions of two tensors with broadcasting: name(a, b, y, rank, dims…, stridesA…, stridesB…).
// Floor: 12 bytes of traffic per element (8 where one side is broadcast), one instruction per vector.
#include "../core/kernel.h"
#include "broadcast.inc"

KERNELS_BEGIN

template <class F>
ALWAYS_INLINE void runBinary(const float* a, const float* b, float* y, long n, F f) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) storePart(y + i, f(loadPart(a + i, n - i), loadPart(b + i, n - i)), n - i);
}

template <class F>
ALWAYS_INLINE void runBinaryScalarA(float a, const float* b, float* y, long n, F f) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, f(splat(a), load(b + i)));
  if (i < n) storePart(y + i, f(splat(a), loadPart(b + i, n - i)), n - i);
}

template <class F>
ALWAYS_INLINE void runBinaryScalarB(const float* a, float b, float* y, long n, F f) {
  long i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, f(load(a + i), splat(b)));
  if (i < n) storePart(y + i, f(loadPart(a + i, n - i), splat(b)), n - i);
}

template <class F>
void mapBinary(const Arguments& args, F f) {
  const float* a = args.floats(0);
  const float* b = args.floats(1);
  float* y = args.floats(2);
  const BroadcastPlan plan = readPlan(args);
  const bool stepA = plan.strideA[plan.rank - 1] != 0, stepB = plan.strideB[plan.rank - 1] != 0;
  walkBroadcast(plan, [&](long offsetA, long offsetB, long offsetY, long n) {
    if (stepA && stepB) runBinary(a + offsetA, b + offsetB, y + offsetY, n, f);
    else if (stepB) runBinaryScalarA(a[offsetA], b + offsetB, y + offsetY, n, f);
    else if (stepA) runBinaryScalarB(a + offsetA, b[offsetB], y + offsetY, n, f);
    else
      for (long i = 0; i < n; i++) y[offsetY + i] = f(splat(a[offsetA]), splat(b[offsetB]))[0];
  });
}

#define BINARY(NAME, EXPRESSION)                           \
  KERNEL(NAME) {                                           \
    mapBinary(args, [](vf a, vf b) { return EXPRESSION; }); \
  }

BINARY(add, a + b)
BINARY(subtract, a - b)
BINARY(multiply, a* b)
BINARY(divide, a / b)
BINARY(maximum, vmaxNan(a, b))
BINARY(minimum, vminNan(a, b))
BINARY(squaredDifference, (a - b) * (a - b))

KERNELS_END
