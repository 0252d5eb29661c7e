// Permutes axes where the innermost one changes: transpose(x, y, rank, dims…, stridesX…), dims and the strides of x in
// the order of the output's axes; exactly one axis other than the last has stride 1 in x. Blocks of LANES x LANES are
// transposed in registers.
// Floor: 8 bytes of traffic per element.
#include "../core/kernel.h"

KERNELS_BEGIN

constexpr int kMaxRank = 12;
// Columns of x that one task takes: a cache line.
enum : long { kStripe = 16 };

// y[i·rowY + j] = x[j·rowX + i] for i < m, j < n.
void transposeStripe(const float* x, long rowX, float* y, long rowY, long m, long n) {
  for (long j = 0; j < n; j += LANES) {
    const long width = minimum(LANES, n - j);
    for (long i = 0; i < m; i += LANES) {
      const long height = minimum(LANES, m - i);
      vf block[LANES];
      for (long r = 0; r < LANES; r++) block[r] = r < width ? loadPart(x + (j + r) * rowX + i, height) : vf{};
      transposeBlock(block);
      for (long r = 0; r < LANES; r++)
        if (r < height) storePart(y + (i + r) * rowY + j, block[r], width);
    }
  }
}

KERNEL(transpose) {
  const int rank = static_cast<int>(args.integer(0)), last = rank - 1;
  long dims[kMaxRank], strideX[kMaxRank], strideY[kMaxRank], outer = 1;
  int unit = 0;
  for (int i = 0; i < rank; i++) {
    dims[i] = args.integer(1 + i);
    strideX[i] = args.integer(1 + rank + i);
    if (strideX[i] == 1) unit = i;
  }
  strideY[last] = 1;
  for (int i = last - 1; i >= 0; i--) strideY[i] = strideY[i + 1] * dims[i + 1];
  for (int i = 0; i < last; i++)
    if (i != unit) outer *= dims[i];
  const long stripes = ceilDiv(dims[unit], kStripe);
  parallelRanges(outer * stripes, maximum(1, 16384 / (kStripe * dims[last])), [&](long begin, long end) {
    for (long item = begin; item < end; item++) {
      long rest = item / stripes;
      const long start = item % stripes * kStripe;
      long offsetX = start, offsetY = start * strideY[unit];
      for (int i = last - 1; i >= 0; i--) {
        if (i == unit) continue;
        const long index = rest % dims[i];
        rest /= dims[i];
        offsetX += index * strideX[i];
        offsetY += index * strideY[i];
      }
      transposeStripe(args.floats(0) + offsetX, strideX[last], args.floats(1) + offsetY, strideY[unit],
                      minimum(kStripe, dims[unit] - start), dims[last]);
    }
  });
}

KERNELS_END
