// Lengths of the columns of a product that is never stored:
// columnNorms(W1, P1, W2|null, P2|null, out, d, E1, E2, rows, count): out[r,c] = sqrt(Σ_i (Σ_m Σ_e W_m[i,e] P_m[e,r,c])²)
// for W_m [d,E_m] and P_m [E_m,rows,count].
//
// Channels e go by the row at which only zeros follow, the longest first: the product of row r is as deep as there are
// channels that last beyond r, so what has decayed costs nothing.
// Floor: 2 d (E1 + E2) rows count operations at the FMA rate where nothing has decayed; P read once.
#include "../core/kernel.h"
#include "gemm.inc"

KERNELS_BEGIN

enum : int { kOrder = 0, kWeights = 1, kColumns = 2 };
// Floats of packed columns that a task holds: most of a second-level cache.
enum : long { kColumnFloats = 96 * 1024, kMostPanels = 8, kBlockDepth = 768 };

// The channels of both products as one list.
struct Channels {
  const float *W1, *P1, *W2, *P2;
  long d, E1, E2, rows, count;

  long columns() const { return rows * count; }
  const float* values(long e) const { return e < E1 ? P1 + e * columns() : P2 + (e - E1) * columns(); }
  float weight(long i, long e) const { return e < E1 ? W1[i * E1 + e] : W2[i * E2 + e - E1]; }

  // Rows of a channel up to the last one that is not zero; NaN is not.
  long lastingRows(long e) const {
    const float* p = values(e);
    long n = columns();
    while (n > 0) {
      const long first = maximum(0, n - LANES);
      if (!(sumLanes(vabs(loadPart(p + first, n - first))) == 0.f)) break;
      n = first;
    }
    return ceilDiv(n, count);
  }
};

// The channels, those that last longest first: order[E], and how many of them last beyond each row, beyond[rows + 1].
struct Lasting {
  int32_t *order, *beyond;

  Lasting(const Channels& p, float* memory) {
    const long E = p.E1 + p.E2;
    int32_t* lasting = reinterpret_cast<int32_t*>(memory);
    order = lasting + E;
    beyond = order + E;
    int32_t* next = beyond + p.rows + 1;
    parallelRanges(E, 16, [&](long begin, long end) {
      for (long e = begin; e < end; e++) lasting[e] = static_cast<int32_t>(p.lastingRows(e));
    });
    for (long r = 0; r <= p.rows; r++) next[r] = 0;
    for (long e = 0; e < E; e++) next[lasting[e]]++;
    beyond[p.rows] = 0;
    for (long r = p.rows; r > 0; r--) beyond[r - 1] = beyond[r] + next[r];
    for (long r = 0; r <= p.rows; r++) next[r] = beyond[r];
    for (long e = 0; e < E; e++) order[next[lasting[e]]++] = static_cast<int32_t>(e);
  }

  static long floats(const Channels& p) { return 2 * (p.E1 + p.E2) + 2 * (p.rows + 1); }
};

// Column panels [begin, end), each as deep as its first row asks; `stride` floats from one to the next.
void packColumns(const Channels& p, const Lasting& lasting, long begin, long end, long stride, float* out) {
  const long deepest = lasting.beyond[begin * TILE_COLUMNS / p.count];
  for (long k = 0; k < deepest; k++) {
    const float* values = p.values(lasting.order[k]);
    if (k + 8 < deepest) __builtin_prefetch(p.values(lasting.order[k + 8]) + begin * TILE_COLUMNS);
    for (long j = begin; j < end; j++) {
      if (k >= lasting.beyond[j * TILE_COLUMNS / p.count]) break;
      float* to = out + (j - begin) * stride + k * TILE_COLUMNS;
      for (long v = 0; v < TILE_COLUMNS; v += LANES) {
        const long first = j * TILE_COLUMNS + v;
        store(to + v, loadPart(values + first, maximum(0, p.columns() - first)));
      }
    }
  }
}

KERNEL(columnNorms) {
  const Channels p{args.floats(0), args.floats(1), args.floats(2), args.floats(3), args.integer(0),
                   args.integer(1), args.integer(2), args.integer(3), args.integer(4)};
  float* out = args.floats(4);
  const Lasting lasting(p, workspace(kOrder, Lasting::floats(p)));
  const long depth = lasting.beyond[0], rowPanels = ceilDiv(p.d, TILE_ROWS);
  float* weights = workspace(kWeights, rowPanels * TILE_ROWS * depth);
  parallelFor(rowPanels, [&](long i) {
    float* panel = weights + i * TILE_ROWS * depth;
    for (long k = 0; k < depth; k++)
      for (long m = 0; m < TILE_ROWS; m++) {
        const long row = i * TILE_ROWS + m;
        panel[k * TILE_ROWS + m] = row < p.d ? p.weight(row, lasting.order[k]) : 0.f;
      }
  });
  const long panels = ceilDiv(p.columns(), TILE_COLUMNS), stride = depth * TILE_COLUMNS;
  const long group = maximum(1, minimum(kMostPanels, kColumnFloats / maximum(1, stride)));
  parallelFor(ceilDiv(panels, group), [&](long task) {
    const long begin = task * group, end = minimum(panels, begin + group);
    float* columns = workspace(kColumns, group * stride);
    packColumns(p, lasting, begin, end, stride, columns);
    vf sums[kMostPanels][TILE_VECTORS] = {};
    alignas(64) float tiles[kMostPanels][TILE_ROWS * TILE_COLUMNS];
    for (long i = 0; i < rowPanels; i++) {
      // A block of the weights stays in the first-level cache under all columns of the group.
      for (long k = 0; k == 0 || k < depth; k += kBlockDepth)
        for (long j = begin; j < end; j++) {
          const long deep = maximum(0, minimum(kBlockDepth, lasting.beyond[j * TILE_COLUMNS / p.count] - k));
          if (k > 0 && deep == 0) continue;
          packedTileProduct<TILE_ROWS, TILE_VECTORS>(deep, weights + (i * depth + k) * TILE_ROWS, 1, TILE_ROWS,
                                                     columns + (j - begin) * stride + k * TILE_COLUMNS, TILE_COLUMNS,
                                                     tiles[j - begin], TILE_COLUMNS, k > 0);
        }
      for (long j = 0; j < end - begin; j++)
        for (long m = 0; m < TILE_ROWS; m++)
          for (long v = 0; v < TILE_VECTORS; v++) {
            const vf value = load(tiles[j] + m * TILE_COLUMNS + v * LANES);
            sums[j][v] += value * value;
          }
    }
    for (long j = begin; j < end; j++)
      for (long v = 0; v < TILE_VECTORS; v++) {
        const long first = j * TILE_COLUMNS + v * LANES;
        storePart(out + first, vsqrt(sums[j - begin][v]), maximum(0, p.columns() - first));
      }
  });
}

KERNELS_END
