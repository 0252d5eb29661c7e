// Between float32 and floats of 16 bits; form: 1 for bfloat16, 2 for float16.
// roundBfloat16(x, halves): halves[i] = bfloat16 nearest to x[i], ties to even; NaN stays NaN
// expandHalves(halves, x, form): x[i] = halves[i]
// gatherHalves(halves, indices, y, count, width, form): y[i, :] = halves[indices[i], :]
// Floor: 6 bytes of traffic per value.
#include "../core/kernel.h"
#include "halves.inc"

KERNELS_BEGIN

template <class Half>
void expandAll(const Half* halves, float* x, long count) {
  long i = 0;
  for (; i + LANES <= count; i += LANES) store(x + i, loadHalves(halves + i));
  for (; i < count; i++) x[i] = widened(halves[i]);
}

// `count` halves from the one at `first`.
void expand(const void* halves, long form, long first, float* x, long count) {
  if (form == kFloat16) expandAll(static_cast<const Float16*>(halves) + first, x, count);
  else expandAll(static_cast<const BFloat16*>(halves) + first, x, count);
}

KERNEL(roundBfloat16) {
  const uint32_t* bits = static_cast<const uint32_t*>(args.buffers[0]);
  uint16_t* halves = static_cast<uint16_t*>(args.buffers[1]);
  parallelRanges(static_cast<long>(args.lengths[1]), 65536, [&](long begin, long end) {
    for (long i = begin; i < end; i++) {
      const bool nan = (bits[i] & 0x7fffffff) > 0x7f800000;
      halves[i] = static_cast<uint16_t>(nan ? bits[i] >> 16 | 0x40 : (bits[i] + 0x7fff + (bits[i] >> 16 & 1)) >> 16);
    }
  });
}

KERNEL(expandHalves) {
  float* x = args.floats(1);
  parallelRanges(static_cast<long>(args.lengths[0]), 65536, [&](long begin, long end) {
    expand(args.buffers[0], args.integer(0), begin, x + begin, end - begin);
  });
}

KERNEL(gatherHalves) {
  const int32_t* indices = args.ints(1);
  float* y = args.floats(2);
  const long count = args.integer(0), width = args.integer(1), form = args.integer(2);
  for (long i = 0; i < count; i++) expand(args.buffers[0], form, indices[i] * width, y + i * width, width);
}

KERNELS_END
