// Magnitudes of folded SSD maps reduced over channels (ssd_block.inc has the map, ssd_block_sum.cc their signed sum):
// ssdBlockAttention(delta, A, B, C, D, source, taps, target, weight, map, L, H, P, G, N, K, reduction): map [L,L], zero above
// the diagonal; reduction 1: Σ_e |M_e|, 2: max_e |M_e|.
//
// Floor: 2K + 1 loads for each channel and vector of the triangle, two a cycle: E L² (2K + 1) / LANES / 4 cycles over the
// threads, 17 ms for L=512, E=1536, K=4 on two 3.4 GHz AVX2 cores.
#include "../core/kernel.h"
#include "ssd_block.inc"

KERNELS_BEGIN

// Adds a channel's rows to `sum` [rows][width].
template <int TAPS, int REDUCTION>
void addChannel(const SsdBlock& m, long e, long i0, long rows, const float* alpha, const float* fold, float* sum) {
  const long width = m.width(), columns = i0 + rows;
  for (long r = 0; r < rows; r++) {
    const vf factor = splat(m.target[(i0 + r) * m.E() + e]);
    const float* row = alpha + r * m.alphaWidth();
    for (long j = 0; j < columns; j += LANES) {
      float* out = sum + r * width + j;
      const vf value = factor * m.folded<TAPS>(row, fold, j), before = load(out);
      store(out, REDUCTION == 1 ? before + vabs(value) : vmaxNan(before, vabs(value)));
    }
  }
}

typedef void (*AddChannel)(const SsdBlock&, long, long, long, const float*, const float*, float*);

template <int TAPS>
AddChannel chooseReduction(long reduction) {
  return reduction == 1 ? addChannel<TAPS, 1> : addChannel<TAPS, 2>;
}

KERNEL(ssdBlockAttention) {
  const SsdBlock m(args);
  float* map = args.floats(9);
  const long L = m.L, width = m.width(), reduction = args.integer(6), tasks = ceilDiv(L, ROWS);
  const AddChannel add = m.K == 4 ? chooseReduction<4>(reduction) : m.K == 1 ? chooseReduction<1>(reduction) : chooseReduction<0>(reduction);
  __builtin_memset(map, 0, L * L * sizeof(float));
  eachHeadGroup(m, workspace(0, HeadGroup::floats(m)), [&](const HeadGroup& group) {
    parallelFor(tasks, [&](long task) {
      // The lowest rows are the longest: they go first.
      const long i0 = (tasks - 1 - task) * ROWS, rows = minimum(ROWS, L - i0);
      float* dots = workspace(1, ROWS * (2 * width + m.alphaWidth()));
      float *sum = dots + ROWS * width, *alpha = sum + ROWS * width;
      clear(sum, ROWS * width);
      group.eachChannel(i0, rows, dots, alpha, [&](long e, const float* fold) { add(m, e, i0, rows, alpha, fold, sum); });
      for (long r = 0; r < rows; r++)
        for (long j = 0; j <= i0 + r; j += LANES) {
          float* out = map + (i0 + r) * L + j;
          const long count = i0 + r + 1 - j;
          const vf before = loadPart(out, count), value = load(sum + r * width + j);
          storePart(out, reduction == 2 ? vmaxNan(before, value) : before + value, count);
        }
    });
  });
}

KERNELS_END
