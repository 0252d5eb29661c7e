// Folded SSD maps reduced over channels (ssd_block.inc has the map):
// ssdBlockAttention(delta, A, B, C, D, source, taps, target, weight, map, L, H, P, G, N, K, reduction): map [L,L], zero above
// the diagonal; reduction 0: Σ_e M_e, 1: Σ_e |M_e|, 2: max_e |M_e|.
//
// Floor: K + 1 multiply-adds and K + 2 loads for each channel and vector of the triangle: E L² (K + 2) / LANES / 4 cycles
// over the threads (two loads a cycle), 45 ms for L=512, E=1536, K=4 on two 3.4 GHz AVX2 cores.
#include "../core/kernel.h"
#include "ssd_block.inc"

KERNELS_BEGIN

ALWAYS_INLINE vf reduced(vf sum, vf value, long reduction) {
  if (reduction == 0) return sum + value;
  if (reduction == 1) return sum + vabs(value);
  return vmaxNan(sum, vabs(value));
}

KERNEL(ssdBlockAttention) {
  const SsdBlock m(args);
  float* map = args.floats(9);
  const long L = m.L, P = m.P, width = m.width(), reduction = args.integer(6);
  float* memory = workspace(0, HEADS_AT_ONCE * (m.sumFloats() + P * m.foldFloats()) + m.N * width);
  double* sums = reinterpret_cast<double*>(memory);
  float *folds = memory + HEADS_AT_ONCE * m.sumFloats(), *turned = folds + HEADS_AT_ONCE * P * m.foldFloats();
  __builtin_memset(map, 0, L * L * sizeof(float));
  for (long h0 = 0, heads = 0; h0 < m.H; h0 += heads) {
    heads = m.heads(h0);
    const long g = h0 / (m.H / m.G);
    transposeInto(turned, width, m.B + g * m.N, m.G * m.N, L, m.N);
    for (long k = 0; k < heads; k++) m.loadSums(h0 + k, sums + k * width);
    parallelFor(heads * P, [&](long k) { m.loadFold(h0 * P + k, folds + k * m.foldFloats()); });
    const long tasks = ceilDiv(L, ROWS);
    parallelFor(tasks, [&](long task) {
      // The lowest rows are the longest: they go first.
      const long i0 = (tasks - 1 - task) * ROWS, rows = minimum(ROWS, L - i0), columns = i0 + rows;
      float* dots = workspace(1, ROWS * (2 * width + m.alphaWidth()));
      float *sum = dots + ROWS * width, *alpha = sum + ROWS * width;
      m.computeDots(g, i0, rows, turned, dots);
      clear(sum, ROWS * width);
      for (long k = 0; k < heads; k++) {
        m.computeAlpha(h0 + k, i0, rows, sums + k * width, dots, alpha);
        for (long p = 0; p < P; p++) {
          const long e = (h0 + k) * P + p;
          const float* fold = folds + (k * P + p) * m.foldFloats();
          for (long r = 0; r < rows; r++) {
            const vf factor = splat(m.target[(i0 + r) * m.E() + e]);
            float* out = sum + r * width;
            for (long j = 0; j < columns; j += LANES)
              store(out + j, reduced(load(out + j), factor * m.folded(alpha + r * m.alphaWidth(), fold, j), reduction));
          }
        }
      }
      for (long r = 0; r < rows; r++)
        for (long j = 0; j <= i0 + r; j += LANES) {
          float* out = map + (i0 + r) * L + j;
          const long count = i0 + r + 1 - j;
          const vf before = loadPart(out, count), value = load(sum + r * width + j);
          storePart(out, reduction == 2 ? vmaxNan(before, value) : before + value, count);
        }
    });
  }
}

KERNELS_END
