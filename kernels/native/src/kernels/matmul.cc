// Matrix product C = act(A B + bias) of float32 matrices with any row and column strides, batched.
// matmul(A, B, C, bias|null, M, N, K, rowA, columnA, rowB, columnB, activation, batch, batchA, batchB)
// Floor: 2·M·N·K floating-point operations at the FMA rate of the machine (fmaPeak in fma_peak.cc measures it);
// for a few rows, one pass over B at memory bandwidth.
#include "../core/kernel.h"
#include "gemm.inc"

KERNELS_BEGIN

struct Product {
  long M, N, K;
  const float* A;
  long rowA, columnA;
  const float* B;
  long rowB, columnB;
  float* C;
  const float* bias;
  Activation activation;
};

enum : int { kSharedPack = 0, kTaskPack = 1 };
// Depth of a block, and rows of A that are swept per panel of B: deep blocks, because every block reads and writes C.
#if STATESCOPE_LANES == 16
enum : long { kDepth = 768, kBlockRows = 224 };
#else
enum : long { kDepth = 768, kBlockRows = 144 };
#endif
// B is packed once and shared by all threads while a block of it fits the second-level cache.
enum : long { kSharedFloats = 160 * 1024, kPanelsPerTask = 4, kGemvRows = 4 };

// Depth of each block of K, even in size.
long depthOf(long K) {
  if (K <= kDepth) return maximum(K, 1);
  return ceilDiv(ceilDiv(K, ceilDiv(K, kDepth)), 16) * 16;
}

void packA(const Product& p, long k, long depth, long panel, float* out) {
  packPanel<TILE_ROWS>(p.M - panel * TILE_ROWS, depth, p.A + panel * TILE_ROWS * p.rowA + k * p.columnA, p.rowA,
                       p.columnA, out);
}

void packB(const Product& p, long k, long depth, long panel, float* out) {
  packPanel<TILE_COLUMNS>(p.N - panel * TILE_COLUMNS, depth, p.B + panel * TILE_COLUMNS * p.columnB + k * p.rowB,
                          p.columnB, p.rowB, out);
}

// Row panels [i0, i1) times column panels [p0, p1) over one block of K. `a` and `b` start at panels i0 and p0.
void multiplyBlock(const Product& p, long k, long depth, const float* a, long i0, long i1, const float* b, long p0,
                   long p1) {
  const bool last = k + depth >= p.K;
  for (long j = p0; j < p1; j++)
    for (long i = i0; i < i1; i++) {
      const long m = minimum(TILE_ROWS, p.M - i * TILE_ROWS), n = minimum(TILE_COLUMNS, p.N - j * TILE_COLUMNS);
      float* c = p.C + i * TILE_ROWS * p.N + j * TILE_COLUMNS;
      anyTile(true, m, n, depth, a + (i - i0) * TILE_ROWS * depth, 1, TILE_ROWS, b + (j - p0) * TILE_COLUMNS * depth,
              TILE_COLUMNS, c, p.N, k > 0);
      if (last && (p.bias || p.activation))
        finishBlock(c, p.N, m, n, p.bias ? p.bias + j * TILE_COLUMNS : nullptr, p.activation);
    }
}

// B's block shared, rows split over the threads: for many rows and a small B.
void multiplyByRows(const Product& p, long k, long depth) {
  const long rowPanels = ceilDiv(p.M, TILE_ROWS), columnPanels = ceilDiv(p.N, TILE_COLUMNS);
  float* b = workspace(kSharedPack, columnPanels * TILE_COLUMNS * depth);
  parallelRanges(columnPanels, ceilDiv(columnPanels, 2 * threadCount()), [&](long begin, long end) {
    for (long j = begin; j < end; j++) packB(p, k, depth, j, b + j * TILE_COLUMNS * depth);
  });
  const long grain = minimum(ceilDiv(rowPanels, 4 * threadCount()), kBlockRows / TILE_ROWS);
  parallelRanges(rowPanels, grain, [&](long begin, long end) {
    float* a = workspace(kTaskPack, (end - begin) * TILE_ROWS * depth);
    for (long i = begin; i < end; i++) packA(p, k, depth, i, a + (i - begin) * TILE_ROWS * depth);
    multiplyBlock(p, k, depth, a, begin, end, b, 0, columnPanels);
  });
}

// A's block shared, columns split over the threads, each packing the few panels of B it needs next.
void multiplyByColumns(const Product& p, long k, long depth) {
  const long rowPanels = ceilDiv(p.M, TILE_ROWS), columnPanels = ceilDiv(p.N, TILE_COLUMNS);
  float* a = workspace(kSharedPack, rowPanels * TILE_ROWS * depth);
  parallelRanges(rowPanels, ceilDiv(rowPanels, 4 * threadCount()), [&](long begin, long end) {
    for (long i = begin; i < end; i++) packA(p, k, depth, i, a + i * TILE_ROWS * depth);
  });
  const long group = maximum(1, minimum(kPanelsPerTask, columnPanels / threadCount()));
  const long blockPanels = kBlockRows / TILE_ROWS;
  parallelFor(ceilDiv(columnPanels, group), [&](long task) {
    const long begin = task * group, end = minimum(columnPanels, begin + group);
    float* b = workspace(kTaskPack, group * TILE_COLUMNS * depth);
    for (long j = begin; j < end; j++) packB(p, k, depth, j, b + (j - begin) * TILE_COLUMNS * depth);
    for (long i = 0; i < rowPanels; i += blockPanels)
      multiplyBlock(p, k, depth, a + i * TILE_ROWS * depth, i, minimum(rowPanels, i + blockPanels), b, begin, end);
  });
}

void multiplyPacked(const Product& p) {
  const long depth = depthOf(p.K), columnPanels = ceilDiv(p.N, TILE_COLUMNS);
  const bool byRows = columnPanels * TILE_COLUMNS * depth <= kSharedFloats &&
                      ceilDiv(p.M, TILE_ROWS) >= 2 * threadCount();
  for (long k = 0; k < p.K; k += depth)
    byRows ? multiplyByRows(p, k, minimum(depth, p.K - k)) : multiplyByColumns(p, k, minimum(depth, p.K - k));
}

// A few rows times a matrix stored by columns ([N, K] weights): dot products of eight columns at a time.
void multiplyFewRowsDot(const Product& p) {
  constexpr long kColumns = 8;
  parallelRanges(p.N, maximum(kColumns, 65536 / maximum(p.K, 1)), [&](long begin, long end) {
    for (long m = 0; m < p.M; m++) {
      const float* x = p.A + m * p.rowA;
      for (long j = begin; j < end; j += kColumns) {
        const float* w = p.B + j * p.columnB;
        const long columns = minimum(kColumns, end - j);
        vf sum[kColumns] = {};
        if (columns == kColumns)
          for (long k = 0; k < p.K; k += LANES) {
            const vf xk = loadPart(x + k, p.K - k);
            for (long c = 0; c < kColumns; c++) sum[c] += xk * loadPart(w + c * p.columnB + k, p.K - k);
          }
        else
          for (long c = 0; c < columns; c++)
            for (long k = 0; k < p.K; k += LANES)
              sum[c] += loadPart(x + k, p.K - k) * loadPart(w + c * p.columnB + k, p.K - k);
        for (long c = 0; c < columns; c++) p.C[m * p.N + j + c] = sumLanes(sum[c]);
      }
      finishBlock(p.C + m * p.N + begin, p.N, 1, end - begin, p.bias ? p.bias + begin : nullptr, p.activation);
    }
  });
}

// A few rows times a matrix stored by rows: adds up scaled rows of B, a slab of columns per task.
void multiplyFewRowsSum(const Product& p) {
  constexpr long kUnroll = 8;
  const long slab = maximum(64, minimum(2048, ceilDiv(ceilDiv(p.N, 2 * threadCount()), 64) * 64));
  parallelFor(ceilDiv(p.N, slab), [&](long task) {
    const long begin = task * slab, width = minimum(slab, p.N - begin);
    for (long m = 0; m < p.M; m++) {
      const float* x = p.A + m * p.rowA;
      float* c = p.C + m * p.N + begin;
      for (long j = 0; j < width; j += LANES) storePart(c + j, vf{}, width - j);
      for (long k = 0; k < p.K; k += kUnroll) {
        const float* b = p.B + k * p.rowB + begin;
        const long depth = minimum(kUnroll, p.K - k);
        for (long j = 0; j < width; j += LANES) {
          const long n = width - j;
          vf even = loadPart(c + j, n), odd{};
          if (depth == kUnroll)
            for (long q = 0; q < kUnroll; q += 2) {
              even += splat(x[k + q]) * loadPart(b + q * p.rowB + j, n);
              odd += splat(x[k + q + 1]) * loadPart(b + (q + 1) * p.rowB + j, n);
            }
          else
            for (long q = 0; q < depth; q++) even += splat(x[k + q]) * loadPart(b + q * p.rowB + j, n);
          storePart(c + j, even + odd, n);
        }
      }
      finishBlock(c, p.N, 1, width, p.bias ? p.bias + begin : nullptr, p.activation);
    }
  });
}

void multiply(const Product& p) {
  if (p.M <= kGemvRows && p.columnA == 1 && p.rowB == 1) return multiplyFewRowsDot(p);
  if (p.M <= kGemvRows && p.columnA == 1 && p.columnB == 1) return multiplyFewRowsSum(p);
  multiplyPacked(p);
}

KERNEL(matmul) {
  Product p;
  p.M = args.integer(0);
  p.N = args.integer(1);
  p.K = args.integer(2);
  p.rowA = args.integer(3);
  p.columnA = args.integer(4);
  p.rowB = args.integer(5);
  p.columnB = args.integer(6);
  p.activation = static_cast<Activation>(args.integer(7));
  p.bias = args.floats(3);
  const long batch = args.integer(8), batchA = args.integer(9), batchB = args.integer(10);
  const auto one = [&](long i) {
    Product q = p;
    q.A = args.floats(0) + i * batchA;
    q.B = args.floats(1) + i * batchB;
    q.C = args.floats(2) + i * p.M * p.N;
    multiply(q);
  };
  // Small products run one per thread; a product that keeps all threads busy by itself runs after the other.
  constexpr double kLargeOperations = 4e6;
  if (batch > 1 && double(p.M) * p.N * p.K < kLargeOperations) parallelFor(batch, one);
  else
    for (long i = 0; i < batch; i++) one(i);
}

KERNELS_END
