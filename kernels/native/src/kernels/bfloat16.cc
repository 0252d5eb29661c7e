// Between float32 and bfloat16, to nearest even:
// roundBfloat16(x, halves): halves[i] = bfloat16 nearest to x[i]; NaN stays NaN
// expandBfloat16(halves, x): x[i] = halves[i]
// gatherBfloat16(halves, indices, y, count, width): y[i, :] = halves[indices[i], :]
// Floor: 6 bytes of traffic per value.
#include "../core/kernel.h"
#include "bfloat16.inc"

KERNELS_BEGIN

void expand(const uint16_t* halves, float* x, long count) {
  long i = 0;
  for (; i + LANES <= count; i += LANES) store(x + i, loadBfloat16(halves + i));
  for (; i < count; i++) x[i] = bfloat16(halves[i]);
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

KERNEL(expandBfloat16) {
  const uint16_t* halves = static_cast<const uint16_t*>(args.buffers[0]);
  float* x = args.floats(1);
  parallelRanges(static_cast<long>(args.lengths[0]), 65536, [&](long begin, long end) {
    expand(halves + begin, x + begin, end - begin);
  });
}

KERNEL(gatherBfloat16) {
  const uint16_t* halves = static_cast<const uint16_t*>(args.buffers[0]);
  const int32_t* indices = args.ints(1);
  float* y = args.floats(2);
  const long count = args.integer(0), width = args.integer(1);
  for (long i = 0; i < count; i++) expand(halves + indices[i] * width, y + i * width, width);
}

KERNELS_END
