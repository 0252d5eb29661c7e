// Copies a block of any rank between two layouts: what slice, concat, pad, split, tile and stack are made of.
// copyStrided(x, y, offsetX, offsetY, rank, dims…, stridesX…, stridesY…), strides and offsets in elements.
// Floor: 8 bytes of traffic per element.
#include "../core/kernel.h"

KERNELS_BEGIN

enum : long { kBlock = 16384 };
constexpr int kMaxRank = 12;

void copyRun(const float* x, long stepX, float* y, long stepY, long n) {
  if (stepX == 1 && stepY == 1) {
    long i = 0;
    for (; i + LANES <= n; i += LANES) store(y + i, load(x + i));
    if (i < n) storePart(y + i, loadPart(x + i, n - i), n - i);
  } else if (stepX == 0 && stepY == 1) {
    for (long i = 0; i < n; i += LANES) storePart(y + i, splat(*x), n - i);
  } else {
    for (long i = 0; i < n; i++) y[i * stepY] = x[i * stepX];
  }
}

KERNEL(copyStrided) {
  const int rank = static_cast<int>(args.integer(2));
  long dims[kMaxRank], strideX[kMaxRank], strideY[kMaxRank], rows = 1;
  for (int i = 0; i < rank; i++) {
    dims[i] = args.integer(3 + i);
    strideX[i] = args.integer(3 + rank + i);
    strideY[i] = args.integer(3 + 2 * rank + i);
    if (i + 1 < rank) rows *= dims[i];
  }
  const int inner = rank - 1;
  const float* x = args.floats(0) + args.integer(0);
  float* y = args.floats(1) + args.integer(1);
  const long blocks = maximum(1, ceilDiv(dims[inner], kBlock)), width = ceilDiv(dims[inner], blocks);
  parallelRanges(rows * blocks, kBlock / maximum(width, 1), [&](long begin, long end) {
    for (long item = begin; item < end; item++) {
      long rest = item / blocks;
      const long column = item % blocks * width;
      long offsetX = column * strideX[inner], offsetY = column * strideY[inner];
      for (int i = inner - 1; i >= 0; i--) {
        const long index = rest % dims[i];
        rest /= dims[i];
        offsetX += index * strideX[i];
        offsetY += index * strideY[i];
      }
      copyRun(x + offsetX, strideX[inner], y + offsetY, strideY[inner], minimum(width, dims[inner] - column));
    }
  });
}

KERNELS_END
