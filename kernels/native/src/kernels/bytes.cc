// Bytes that stand for true and false: logicalAnd(a, b, y), logicalOr(a, b, y), logicalNot(x, y), and
// bytesToFloats(x, y), intsToFloats(x, y). Floor: the traffic of the operands.
#include "../core/kernel.h"

KERNELS_BEGIN

enum : long { kGrain = 65536 };

KERNEL(logicalAnd) {
  const uint8_t* a = args.bytes(0);
  const uint8_t* b = args.bytes(1);
  uint8_t* y = args.bytes(2);
  parallelRanges(args.lengths[2], kGrain, [&](long begin, long end) {
    for (long i = begin; i < end; i++) y[i] = (a[i] != 0) & (b[i] != 0);
  });
}

KERNEL(logicalOr) {
  const uint8_t* a = args.bytes(0);
  const uint8_t* b = args.bytes(1);
  uint8_t* y = args.bytes(2);
  parallelRanges(args.lengths[2], kGrain, [&](long begin, long end) {
    for (long i = begin; i < end; i++) y[i] = (a[i] != 0) | (b[i] != 0);
  });
}

KERNEL(logicalNot) {
  const uint8_t* x = args.bytes(0);
  uint8_t* y = args.bytes(1);
  parallelRanges(args.lengths[1], kGrain, [&](long begin, long end) {
    for (long i = begin; i < end; i++) y[i] = x[i] == 0;
  });
}

KERNEL(bytesToFloats) {
  const uint8_t* x = args.bytes(0);
  float* y = args.floats(1);
  parallelRanges(args.lengths[1], kGrain, [&](long begin, long end) {
    for (long i = begin; i < end; i++) y[i] = static_cast<float>(x[i]);
  });
}

KERNEL(intsToFloats) {
  const int32_t* x = args.ints(0);
  float* y = args.floats(1);
  parallelRanges(args.lengths[1], kGrain, [&](long begin, long end) {
    for (long i = begin; i < end; i++) y[i] = static_cast<float>(x[i]);
  });
}

KERNELS_END
