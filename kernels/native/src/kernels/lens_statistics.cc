// Statistics of the logits hidden · headᵀ at every stream and position, in one pass over the vocabulary; no more than a
// register tile's rows times 64 columns of logits exist at a time.
// lensStatistics(hidden [S, C, d], head [V, d], ids [U], targets [C], statistics [S, C, 10], logits [S, C, U],
//                topValues [S, C, k], topIds [S, C, k], S, C, d, V, U, k)
// The last stream is the final one; targets are places in ids; `logits` are those of ids.
//
// Floor: the product, 2·S·C·V·d floating-point operations at the FMA rate; for one position one pass over head at memory
// bandwidth. The statistics add one exponential and about 20 instructions per vector of logits.
#include "../core/kernel.h"
#include "gemm.inc"
#include "lens_row.inc"
#include "lens_top.inc"

KERNELS_BEGIN

enum : int { kLensRows = 0, kLensStates = 1, kLensTop = 2, kLensPicked = 3, kLensScratch = 4, kLensHead = 5, kLensFinal = 6 };
// Rows whose packed form stays in the last-level cache, and stretches of the vocabulary that are tasks of their own:
// fixed numbers, so that results do not depend on the number of threads.
enum : long { kLensBlockRows = 600, kLensPositions = 64, kLensParts = 32 };

struct LensCall {
  const float *hidden, *head;
  const int32_t *ids, *targets;
  float *statistics, *logits, *topValues;
  int32_t* topIds;
  long S, C, d, V, U, k;
};

// Some positions of all streams, the final stream first: row s·n + c is stream s (0: the last one), position begin + c.
struct LensBlock {
  long begin, n, rows, panels;
  float* packed;
  LensRow* states;     // [parts][rows]
  float* topValues;    // [parts][rows][k]
  int32_t* topIds;
  float* topLeast;     // [rows]: k tokens of the parts that are finished reach it
};

ALWAYS_INLINE long outputRow(const LensCall& call, const LensBlock& block, long row) {
  const long stream = row / block.n, c = row % block.n;
  return (stream == 0 ? call.S - 1 : stream - 1) * call.C + block.begin + c;
}

ALWAYS_INLINE TopTokens topOf(const LensCall& call, const LensBlock& block, long part, long row) {
  const long at = (part * block.rows + row) * call.k;
  return {block.topValues + at, block.topIds + at, call.k};
}

void packRows(const LensCall& call, const LensBlock& block) {
  parallelRanges(block.panels, ceilDiv(block.panels, 4 * threadCount()), [&](long begin, long end) {
    float* rows = workspace(kLensScratch, TILE_ROWS * call.d);
    for (long i = begin; i < end; i++) {
      const long count = minimum(TILE_ROWS, block.rows - i * TILE_ROWS);
      for (long r = 0; r < count; r++)
        __builtin_memcpy(rows + r * call.d, call.hidden + outputRow(call, block, i * TILE_ROWS + r) * call.d,
                         call.d * sizeof(float));
      packPanel<TILE_ROWS>(count, call.d, rows, call.d, 1, block.packed + i * TILE_ROWS * call.d);
    }
  });
}

// One panel of rows times `columns` packed columns of the head, to z [rows, stride].
ALWAYS_INLINE void productOf(const LensCall& call, const LensBlock& block, long panel, const float* head, long columns,
                             float* z, long stride) {
  const long m = minimum(TILE_ROWS, block.rows - panel * TILE_ROWS);
  for (long j = 0; j < columns; j += TILE_COLUMNS)
    anyTile(true, m, minimum(TILE_COLUMNS, columns - j), call.d, block.packed + panel * TILE_ROWS * call.d, 1, TILE_ROWS,
            head + j * call.d, TILE_COLUMNS, z + j, stride, false);
}

// The logits of `ids`, [rows, U].
void pickLogits(const LensCall& call, const LensBlock& block, float* picked) {
  float* rows = workspace(kLensScratch, TILE_COLUMNS * call.d);
  float* head = workspace(kLensHead, ceilDiv(call.U, TILE_COLUMNS) * TILE_COLUMNS * call.d);
  for (long j = 0; j < call.U; j += TILE_COLUMNS) {
    const long count = minimum(TILE_COLUMNS, call.U - j);
    for (long i = 0; i < count; i++)
      __builtin_memcpy(rows + i * call.d, call.head + call.ids[j + i] * call.d, call.d * sizeof(float));
    packPanel<TILE_COLUMNS>(count, call.d, rows, call.d, 1, head + j * call.d);
  }
  parallelRanges(block.panels, ceilDiv(block.panels, 4 * threadCount()), [&](long begin, long end) {
    for (long i = begin; i < end; i++)
      productOf(call, block, i, head, call.U, picked + i * TILE_ROWS * call.U, call.U);
  });
}

// Offers the logits that may be among the k largest; the last one stands where the target was taken out.
void offerTop(const TopTokens& top, const float* z, long n, long first, long hole) {
  for (long j = 0; j < n; j++)
    if (z[j] >= top.values[top.k - 1]) insertTop(top, z[j], static_cast<int32_t>(first + (j == hole ? n : j)));
}

void startTop(const LensCall& call, const LensBlock& block, long part) {
  for (long r = 0; r < block.rows && call.k > 0; r++) {
    float least;
    __atomic_load(block.topLeast + r, &least, __ATOMIC_RELAXED);
    clearTop(topOf(call, block, part, r), least);
  }
}

// Which part comes first depends on the threads, and only spares later ones work: what they leave out is not among the
// largest. A lost update is harmless.
void finishTop(const LensCall& call, const LensBlock& block, long part) {
  for (long r = 0; r < block.rows && call.k > 0; r++) {
    float least, found = topOf(call, block, part, r).values[call.k - 1];
    __atomic_load(block.topLeast + r, &least, __ATOMIC_RELAXED);
    if (found > least) __atomic_store(block.topLeast + r, &found, __ATOMIC_RELAXED);
  }
}

// Columns [begin, end) of the vocabulary for all rows of the block.
void streamPart(const LensCall& call, const LensBlock& block, long part, long begin, long end, const float* picked) {
  LensRow* states = block.states + part * block.rows;
  for (long r = 0; r < block.rows; r++) states[r] = emptyRow();
  startTop(call, block, part);
  float* head = workspace(kLensHead, kLensColumns * call.d);
  FinalBlock* finals = reinterpret_cast<FinalBlock*>(workspace(kLensFinal, block.n * sizeof(FinalBlock) / sizeof(float)));
  alignas(64) float z[TILE_ROWS * kLensColumns] = {};
  for (long first = begin; first < end; first += kLensColumns) {
    const long columns = minimum(kLensColumns, end - first);
    for (long j = 0; j < columns; j += TILE_COLUMNS)
      packPanel<TILE_COLUMNS>(columns - j, call.d, call.head + (first + j) * call.d, call.d, 1, head + j * call.d);
    for (long panel = 0; panel < block.panels; panel++) {
      productOf(call, block, panel, head, columns, z, kLensColumns);
      const long stop = minimum(block.rows, (panel + 1) * TILE_ROWS);
      for (long r = panel * TILE_ROWS; r < stop; r++) {
        float* row = z + (r - panel * TILE_ROWS) * kLensColumns;
        const long c = r % block.n, slot = call.targets[block.begin + c], hole = call.ids[slot] - first;
        const float target = picked[r * call.U + slot];
        const bool holds = hole >= 0 && hole < columns;
        const long n = holds ? columns - 1 : columns;
        if (holds) row[hole] = row[n];
        const float largest = r < block.n ? addBlock<true>(states + r, row, n, target, finals + c)
                                          : addBlock<false>(states + r, row, n, target, finals + c);
        if (call.k == 0) continue;
        const TopTokens top = topOf(call, block, part, r);
        if (largest >= top.values[call.k - 1]) offerTop(top, row, n, first, holds ? hole : -1);
      }
    }
  }
  finishTop(call, block, part);
}

// Joins the parts of the rows of position c and writes their statistics.
void finishPosition(const LensCall& call, const LensBlock& block, long c, long parts, long width, const float* picked) {
  const long slot = call.targets[block.begin + c], target = call.ids[slot];
  LensRow final = emptyRow();
  for (long stream = 0; stream < call.S; stream++) {
    const long r = stream * block.n + c, out = outputRow(call, block, r);
    LensRow row = emptyRow(), running = emptyRow();
    for (long part = 0; part < parts; part++) {
      const long begin = part * width, end = minimum(call.V, begin + width);
      const LensRow& partFinal = block.states[part * block.rows + c];
      const double count = static_cast<double>(end - begin - (target >= begin && target < end));
      joinRows(&row, running, block.states[part * block.rows + r], partFinal, count);
      joinRows(&running, running, partFinal, partFinal, count);
    }
    if (stream == 0) final = row;
    finishRow(row, final, picked[r * call.U + slot], picked[c * call.U + slot], call.V, stream == 0,
              call.statistics + out * kLensStatistics);
    __builtin_memcpy(call.logits + out * call.U, picked + r * call.U, call.U * sizeof(float));
    if (call.k == 0) continue;
    const TopTokens top = {call.topValues + out * call.k, call.topIds + out * call.k, call.k};
    clearTop(top, kMinusInfinity);
    insertTop(top, picked[r * call.U + slot], static_cast<int32_t>(target));
    for (long part = 0; part < parts; part++) {
      const TopTokens from = topOf(call, block, part, r);
      for (long i = 0; i < call.k && from.ids[i] != kNoToken; i++) insertTop(top, from.values[i], from.ids[i]);
    }
  }
}

KERNEL(lensStatistics) {
  const LensCall call = {args.floats(0),  args.floats(1),  args.ints(2),    args.ints(3),
                         args.floats(4),  args.floats(5),  args.floats(6),  args.ints(7),
                         args.integer(0), args.integer(1), args.integer(2), args.integer(3),
                         args.integer(4), args.integer(5)};
  const long width = maximum(1, ceilDiv(call.V, kLensParts * kLensColumns)) * kLensColumns;
  const long parts = ceilDiv(call.V, width);
  const long most = maximum(1, minimum(kLensPositions, kLensBlockRows / call.S));
  const long n = ceilDiv(call.C, ceilDiv(call.C, most));
  const long panels = ceilDiv(n * call.S, TILE_ROWS), rows = n * call.S;
  LensBlock block;
  block.packed = workspace(kLensRows, panels * TILE_ROWS * call.d);
  block.states = reinterpret_cast<LensRow*>(workspace(kLensStates, parts * rows * sizeof(LensRow) / sizeof(float)));
  block.topValues = workspace(kLensTop, (2 * parts * call.k + 1) * rows);
  block.topIds = reinterpret_cast<int32_t*>(block.topValues + parts * rows * call.k);
  block.topLeast = block.topValues + 2 * parts * rows * call.k;
  float* picked = workspace(kLensPicked, rows * call.U);
  for (block.begin = 0; block.begin < call.C; block.begin += n) {
    block.n = minimum(n, call.C - block.begin);
    block.rows = block.n * call.S;
    block.panels = ceilDiv(block.rows, TILE_ROWS);
    for (long r = 0; r < block.rows; r++) block.topLeast[r] = kMinusInfinity;
    packRows(call, block);
    pickLogits(call, block, picked);
    parallelFor(parts, [&](long part) {
      streamPart(call, block, part, part * width, minimum(call.V, (part + 1) * width), picked);
    });
    parallelFor(block.n, [&](long c) { finishPosition(call, block, c, parts, width, picked); });
  }
}

KERNELS_END
