// Matrix product C = act(A B + bias) of float32 matrices with any row and column strides, batched.
// matmul(A, B, C, bias|null, M, N, K, rowA, columnA, rowB, columnB, activation, batch, batchA, batchB, form)
// form: 0 for B as floats; 1 for B as panels from packWeights; 2 for B as bfloat16 of [N, K] (rowB = 1), 3 for float16. All but
// the first are for one matrix under the whole batch.
// Floor: 2·M·N·K floating-point operations at the FMA rate of the machine (fmaPeak in fma_peak.cc measures it);
// for a few rows, one pass over B at memory bandwidth.
#include "../core/kernel.h"
#include "halves.inc"
#include "gemm.inc"

KERNELS_BEGIN

struct Product {
  long M, N, K;
  const float* A;
  long rowA, columnA;
  const float* B; // what is not null of B, panels and halves
  long rowB, columnB;
  const float* panels;
  const void* halves;
  Halves half; // what they are
  float* C;
  const float* bias;
  Activation activation;
};

KERNELS_END
#include "matmul_dot.inc"
KERNELS_BEGIN

enum : int { kSharedPack = 0, kTaskPack = 1, kExpanded = 2 };
// Depth of a block. Deep blocks, because every block reads and writes C; a tile of A's rows stays in the first-level
// cache under a group of B's columns, which stays in the second.
enum : long { kDepth = 768, kGroupColumns = 128, kGroupPanels = kGroupColumns / TILE_COLUMNS };
// B is packed once and shared by all threads while a block of it fits the second-level cache.
enum : long { kSharedFloats = 160 * 1024 };
// Up to so many rows nothing is packed.
enum : long { kDotRows = 8, kSumRows = 4 };

// Depth of each block of K, even in size.
long depthOf(long K) {
  if (K <= kDepth) return maximum(K, 1);
  return ceilDiv(ceilDiv(K, ceilDiv(K, kDepth)), 16) * 16;
}

void packA(const Product& p, long k, long depth, long panel, float* out) {
  packPanel<TILE_ROWS>(p.M - panel * TILE_ROWS, depth, p.A + panel * TILE_ROWS * p.rowA + k * p.columnA, p.rowA,
                       p.columnA, out);
}

template <class Half>
void expandColumns(const Product& p, const Half* halves, long k, long depth, long first, long columns, float* rows,
                   long stride) {
  for (long n = 0; n < columns; n++) {
    const Half* w = halves + (first + n) * p.columnB + k;
    long q = 0;
    for (; q + LANES <= depth; q += LANES) store(rows + n * stride + q, loadHalves(w + q));
    for (; q < depth; q++) rows[n * stride + q] = widened(w[q]);
  }
}

void packB(const Product& p, long k, long depth, long panel, float* out) {
  const long first = panel * TILE_COLUMNS, columns = minimum(TILE_COLUMNS, p.N - first);
  if (!p.halves)
    return packPanel<TILE_COLUMNS>(columns, depth, p.B + first * p.columnB + k * p.rowB, p.columnB, p.rowB, out);
  float* rows = workspace(kExpanded, TILE_COLUMNS * (depth + LANES));
  const long stride = ceilDiv(depth, LANES) * LANES;
  if (p.half == kFloat16)
    expandColumns(p, static_cast<const Float16*>(p.halves), k, depth, first, columns, rows, stride);
  else expandColumns(p, static_cast<const BFloat16*>(p.halves), k, depth, first, columns, rows, stride);
  packPanel<TILE_COLUMNS>(columns, depth, rows, stride, 1, out);
}

// Rows of A for the register tile: where they are, or packed.
struct Rows {
  const float* a;
  bool packed;
  long row, step, panel; // strides of a row, of a step of K, of TILE_ROWS rows

  Rows from(long rowPanel) const { return {a + rowPanel * panel, packed, row, step, panel}; }
};

// Rows a multiple of 4096 bytes apart would push each other out of the first-level cache.
bool readsInPlace(const Product& p) { return p.columnA == 1 && p.rowA % 1024 != 0; }

Rows rowsInPlace(const Product& p, long k) { return {p.A + k, false, p.rowA, 1, TILE_ROWS * p.rowA}; }

// Row panels [begin, end) packed to `memory`.
Rows packRows(const Product& p, long k, long depth, long begin, long end, float* memory) {
  for (long i = begin; i < end; i++) packA(p, k, depth, i, memory + (i - begin) * TILE_ROWS * depth);
  return {memory, true, 1, TILE_ROWS, TILE_ROWS * depth};
}

// Panels of B from column panel `first` on: pre-packed over the whole of K, or packed for this block of it.
struct Columns {
  const float* b;
  long panel;
};

Columns columnsOf(const Product& p, long k, long depth, long first, float* memory) {
  if (p.panels) return {p.panels + (first * p.K + k) * TILE_COLUMNS, p.K * TILE_COLUMNS};
  return {memory, depth * TILE_COLUMNS};
}

// Row panels [i0, i1) times column panels [p0, p1) over one block of K. `rows` and `columns` start at panels i0 and p0.
void multiplyBlock(const Product& p, long k, long depth, Rows rows, long i0, long i1, Columns columns, long p0,
                   long p1) {
  const bool last = k + depth >= p.K;
  for (long i = i0; i < i1; i++)
    for (long j = p0; j < p1; j++) {
      const long m = minimum(TILE_ROWS, p.M - i * TILE_ROWS), n = minimum(TILE_COLUMNS, p.N - j * TILE_COLUMNS);
      float* c = p.C + i * TILE_ROWS * p.N + j * TILE_COLUMNS;
      anyTile(rows.packed, m, n, depth, rows.a + (i - i0) * rows.panel, rows.row, rows.step,
              columns.b + (j - p0) * columns.panel, TILE_COLUMNS, c, p.N, k > 0);
      if (last && (p.bias || p.activation))
        finishBlock(c, p.N, m, n, p.bias ? p.bias + j * TILE_COLUMNS : nullptr, p.activation);
    }
}

// B's block shared, rows split over the threads: for many rows and a small B.
void multiplyByRows(const Product& p, long k, long depth) {
  const long rowPanels = ceilDiv(p.M, TILE_ROWS), columnPanels = ceilDiv(p.N, TILE_COLUMNS);
  float* packed = nullptr;
  if (!p.panels) {
    packed = workspace(kSharedPack, columnPanels * TILE_COLUMNS * depth);
    parallelRanges(columnPanels, ceilDiv(columnPanels, 2 * threadCount()), [&](long begin, long end) {
      for (long j = begin; j < end; j++) packB(p, k, depth, j, packed + j * TILE_COLUMNS * depth);
    });
  }
  const Columns columns = columnsOf(p, k, depth, 0, packed);
  parallelRanges(rowPanels, ceilDiv(rowPanels, 8 * threadCount()), [&](long begin, long end) {
    const Rows rows = readsInPlace(p)
                          ? rowsInPlace(p, k).from(begin)
                          : packRows(p, k, depth, begin, end, workspace(kTaskPack, (end - begin) * TILE_ROWS * depth));
    multiplyBlock(p, k, depth, rows, begin, end, columns, 0, columnPanels);
  });
}

// A's block shared, columns split over the threads, each packing the panels of B it needs next.
void multiplyByColumns(const Product& p, long k, long depth) {
  const long rowPanels = ceilDiv(p.M, TILE_ROWS), columnPanels = ceilDiv(p.N, TILE_COLUMNS);
  Rows rows = rowsInPlace(p, k);
  if (!readsInPlace(p)) {
    float* a = workspace(kSharedPack, rowPanels * TILE_ROWS * depth);
    parallelRanges(rowPanels, ceilDiv(rowPanels, 4 * threadCount()), [&](long begin, long end) {
      packRows(p, k, depth, begin, end, a + begin * TILE_ROWS * depth);
    });
    rows = {a, true, 1, TILE_ROWS, TILE_ROWS * depth};
  }
  const long group = maximum(1, minimum(kGroupPanels, ceilDiv(columnPanels, 2 * threadCount())));
  parallelFor(ceilDiv(columnPanels, group), [&](long task) {
    const long begin = task * group, end = minimum(columnPanels, begin + group);
    float* packed = nullptr;
    if (!p.panels) {
      packed = workspace(kTaskPack, group * TILE_COLUMNS * depth);
      for (long j = begin; j < end; j++) packB(p, k, depth, j, packed + (j - begin) * TILE_COLUMNS * depth);
    }
    multiplyBlock(p, k, depth, rows, 0, rowPanels, columnsOf(p, k, depth, begin, packed), begin, end);
  });
}

void multiplyPacked(const Product& p) {
  const long depth = depthOf(p.K), columnPanels = ceilDiv(p.N, TILE_COLUMNS);
  const bool byRows = columnPanels * TILE_COLUMNS * depth <= kSharedFloats &&
                      ceilDiv(p.M, TILE_ROWS) >= 2 * threadCount();
  for (long k = 0; k < p.K; k += depth)
    byRows ? multiplyByRows(p, k, minimum(depth, p.K - k)) : multiplyByColumns(p, k, minimum(depth, p.K - k));
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
  const bool dots = p.M <= kDotRows && p.columnA == 1 && p.rowB == 1;
  if (dots && p.half == kFloat16) return multiplyByDots(p, static_cast<const Float16*>(p.halves));
  if (dots && p.halves) return multiplyByDots(p, static_cast<const BFloat16*>(p.halves));
  if (dots && p.B) return multiplyByDots(p, p.B);
  if (p.B && p.M <= kSumRows && p.columnA == 1 && p.columnB == 1) return multiplyFewRowsSum(p);
  multiplyPacked(p);
}

KERNEL(matmul) {
  Product p{};
  p.M = args.integer(0);
  p.N = args.integer(1);
  p.K = args.integer(2);
  p.rowA = args.integer(3);
  p.columnA = args.integer(4);
  p.rowB = args.integer(5);
  p.columnB = args.integer(6);
  p.activation = static_cast<Activation>(args.integer(7));
  p.bias = args.floats(3);
  const long batch = args.integer(8), batchA = args.integer(9), batchB = args.integer(10), form = args.integer(11);
  if (form == 1) p.panels = args.floats(1);
  if (form >= 2) {
    p.halves = args.buffers[1];
    p.half = form == 3 ? kFloat16 : kBFloat16;
  }
  const auto one = [&](long i) {
    Product q = p;
    q.A = args.floats(0) + i * batchA;
    if (form == 0) q.B = args.floats(1) + i * batchB;
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
