// Weights in the order in which the register tile reads them, for products that use the same matrix again and again:
// packWeights(B, panels, N, K, rowB, columnB), B any strides; panels [ceil(N / TILE_COLUMNS)][K][TILE_COLUMNS], the last
// one padded with zeros. The order depends on the instruction set.
// Floor: 8 bytes of traffic per weight.
#include "../core/kernel.h"
#include "gemm.inc"

KERNELS_BEGIN

KERNEL(packWeights) {
  const float* B = args.floats(0);
  float* panels = args.floats(1);
  const long N = args.integer(0), K = args.integer(1), rowB = args.integer(2), columnB = args.integer(3);
  parallelFor(ceilDiv(N, TILE_COLUMNS), [&](long panel) {
    const long first = panel * TILE_COLUMNS;
    packPanel<TILE_COLUMNS>(N - first, K, B + first * columnB, columnB, rowB, panels + first * K);
  });
}

KERNELS_END
