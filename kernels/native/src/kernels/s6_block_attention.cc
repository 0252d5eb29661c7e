// Magnitudes of folded S6 maps reduced over channels (s6_block.inc has the map, s6_block_sum.cc their signed sum):
// s6BlockAttention(delta, A, B, C, D, source, taps, target, weight, map, L, E, N, K, reduction): map [L,L], zero above the
// diagonal; reduction 1: Σ_e |M_e|, 2: max_e |M_e|.
//
// A task holds a strip of columns; channels come in groups whose decays fit the cache.
// Floor: two multiply-class instructions for each state and vector of the triangle: E N L² / LANES / 2 cycles over the
// threads, 59 ms for L=512, E=1536, N=16 on two 3.4 GHz AVX2 cores where nothing has decayed.
#include "../core/kernel.h"
#include "s6_block.inc"

KERNELS_BEGIN

ALWAYS_INLINE vf reduced(vf sum, vf magnitude, long reduction) {
  return reduction == 1 ? sum + magnitude : vmaxNan(sum, magnitude);
}

KERNEL(s6BlockAttention) {
  const S6Block m(args);
  float* map = args.floats(9);
  const long L = m.L, reduction = args.integer(4), group = m.groupOf(m.E), size = m.channelFloats();
  float* channels = workspace(0, group * size);
  __builtin_memset(map, 0, L * L * sizeof(float));
  for (long e0 = 0; e0 < m.E; e0 += group) {
    const long count = minimum(group, m.E - e0);
    parallelFor(count, [&](long k) { m.loadChannel(e0 + k, channels + k * size); });
    parallelFor(ceilDiv(L, STRIP), [&](long task) {
      const long j0 = task * STRIP, columns = minimum(STRIP, L - j0);
      float* scratch = workspace(1, m.stripFloats(L - j0));
      for (long k = 0; k < count; k++) {
        const BlockStrip strip(m, channels + k * size, e0 + k, j0, scratch);
        const long end = strip.run();
        for (long i = j0; i < end; i++) {
          const vf factor = splat(strip.target[i]);
          for (long v = 0; v < columns; v += LANES) {
            float* out = map + i * L + j0 + v;
            const vf magnitude = vabs(load(strip.y + (i - j0) * STRIP + v) * factor);
            storePart(out, reduced(loadPart(out, columns - v), magnitude, reduction), columns - v);
          }
        }
      }
    });
  }
}

KERNELS_END
