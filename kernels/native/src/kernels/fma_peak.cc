// fmaPeak(operations, iterations): runs the register tile of the matrix product on operands that stay in the
// first-level cache, on every thread, and reports how many floating-point operations that was. Its time is the floor
// of every matrix product.
#include "../core/kernel.h"
#include "gemm.inc"

KERNELS_BEGIN

KERNEL(fmaPeak) {
  const long iterations = args.integer(0);
  parallelFor(threadCount(), [&](long) {
    alignas(64) float operands[TILE_COLUMNS * 2] = {}, c[TILE_ROWS * TILE_COLUMNS];
    tiles().strided[TILE_ROWS](iterations, operands, 1, 0, operands, 0, c, TILE_COLUMNS, false);
  });
  args.floats(0)[0] = 2.f * TILE_ROWS * TILE_COLUMNS * static_cast<float>(iterations) * threadCount();
}

KERNELS_END
