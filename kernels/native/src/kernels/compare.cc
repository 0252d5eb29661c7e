// Comparisons of two float tensors to one byte (0 or 1) per element, with broadcasting; arguments as in binary.cc.
// Floor: 9 bytes of traffic per element.
#include "../core/kernel.h"
#include "broadcast.inc"
#include "bytes.inc"

KERNELS_BEGIN

template <class F>
void mapCompare(const Arguments& args, F f) {
  const float* a = args.floats(0);
  const float* b = args.floats(1);
  uint8_t* y = args.bytes(2);
  const BroadcastPlan plan = readPlan(args);
  const long stepA = plan.strideA[plan.rank - 1], stepB = plan.strideB[plan.rank - 1];
  walkBroadcast(plan, [&](long offsetA, long offsetB, long offsetY, long n) {
    const float* left = a + offsetA;
    const float* right = b + offsetB;
    uint8_t* out = y + offsetY;
    for (long i = 0; i < n; i += LANES) {
      const vf l = stepA ? loadPart(left + i, n - i) : splat(*left);
      const vf r = stepB ? loadPart(right + i, n - i) : splat(*right);
      storeMask(out + i, f(l, r), n - i);
    }
  });
}

#define COMPARE(NAME, OPERATOR)                                \
  KERNEL(NAME) {                                               \
    mapCompare(args, [](vf a, vf b) -> vi { return a OPERATOR b; }); \
  }

COMPARE(greater, >)
COMPARE(greaterEqual, >=)
COMPARE(less, <)
COMPARE(lessEqual, <=)
COMPARE(equal, ==)
COMPARE(notEqual, !=)

KERNELS_END
