// Sum over channels of the folded SSD maps by matrix products (ssd_block.inc has the map; the channels of a head share α):
//   M[i,j] = Σ_h Σ_k (α_h[i,j+k] + D[h] [i = j+k]) Σ_p target[i,e] fold_k[j,e],  e = h P + p,  j + k <= i
// ssdBlockSum(delta, A, B, C, D, source, taps, target, weight, map, L, H, P, G, N, K): map [L,L], zero above the diagonal.
//
// The inner sum is a product of depth P for each head and tap, whose tiles are weighted by α while they are in registers.
// Floor: E K L² operations at the speed of register tiles: 8 ms for L=512, E=1536, K=4 at 200 GFLOP/s.
#include "../core/kernel.h"
#include "ssd_block.inc"

KERNELS_BEGIN

// Targets of a task: as many as read a panel of folds while it is in the first-level cache.
enum : long { TARGETS = TILE_ROWS * (48 / TILE_ROWS) };

// out[m, j] += alpha[m, j] Σ_p a[p][m] b[p][j] for one register tile; a and b are packed.
template <int M>
void addWeightedTile(long depth, const float* a, const float* b, const float* alpha, long rowAlpha, float* out,
                     long rowOut) {
  vf sum[M][TILE_VECTORS];
  for (int m = 0; m < M; m++)
    for (int v = 0; v < TILE_VECTORS; v++) sum[m][v] = vf{};
#pragma GCC unroll 4
  for (long p = 0; p < depth; p++, a += TILE_ROWS, b += TILE_COLUMNS) {
    vf row[TILE_VECTORS];
    for (int v = 0; v < TILE_VECTORS; v++) row[v] = load(b + v * LANES);
    for (int m = 0; m < M; m++) {
      const vf factor = splat(a[m]);
      for (int v = 0; v < TILE_VECTORS; v++) sum[m][v] += factor * row[v];
    }
  }
  for (int m = 0; m < M; m++, out += rowOut, alpha += rowAlpha)
    for (int v = 0; v < TILE_VECTORS; v++)
      store(out + v * LANES, load(out + v * LANES) + load(alpha + v * LANES) * sum[m][v]);
}

struct SsdBlockSum {
  const SsdBlock& m;
  float* map;

  long panelFloats() const { return m.P * TILE_COLUMNS; }
  long taskFloats() const { return TARGETS * (2 * m.width() + m.alphaWidth() + m.P); }

  // What tokens give to the sources of each panel of one head: [panel][K][P][TILE_COLUMNS].
  void loadPanels(long h, float* panels) const {
    const long E = m.E(), end = (h + 1) * m.P;
    for (long j0 = 0; j0 < m.width(); j0 += TILE_COLUMNS)
      for (long k = 0; k < m.K; k++, panels += panelFloats())
        for (long e = h * m.P; e < end; e += LANES) {
          const long channels = minimum(LANES, end - e);
          vf taps{};
          for (long c = 0; c < channels; c++) taps[c] = m.taps[(e + c) * m.K + m.K - 1 - k];
          for (long j = j0; j < j0 + TILE_COLUMNS; j += LANES) {
            vf block[LANES];
            for (long r = 0; r < LANES; r++) {
              const long source = j + r, token = source + k;
              block[r] = token < m.L ? loadPart(m.source + token * E + e, channels) * taps : vf{};
              if (m.weight && token < m.L) block[r] *= loadPart(m.weight + source * E + e, channels);
            }
            transposeBlock(block);
            for (long c = 0; c < channels; c++) store(panels + (e + c - h * m.P) * TILE_COLUMNS + j - j0, block[c]);
          }
        }
  }

  // Adds the heads of a group to the rows from i0 on.
  void addRows(const HeadGroup& group, long i0) const {
    const long rows = minimum(TARGETS, m.L - i0), width = m.width(), E = m.E();
    float* dots = workspace(1, taskFloats());
    float *sum = dots + TARGETS * width, *alpha = sum + TARGETS * width, *targets = alpha + TARGETS * m.alphaWidth();
    clear(sum, TARGETS * width);
    m.computeDots(group.g, i0, rows, group.turned, dots);
    for (long q = 0; q < group.heads; q++) {
      const long h = group.h0 + q;
      m.computeAlpha(h, i0, rows, group.sumsOf(q), dots, alpha);
      for (long r = 0; r < rows; r += TILE_ROWS)
        packPanel<TILE_ROWS>(rows - r, m.P, m.target + (i0 + r) * E + h * m.P, E, 1, targets + r * m.P);
      for (long j = 0; j < i0 + rows; j += TILE_COLUMNS) {
        const float* panel = group.folds + q * m.headFloats() + j * m.K * m.P;
        // Sources after a target have no part in it.
        for (long r = j < i0 ? 0 : (j - i0) / TILE_ROWS * TILE_ROWS; r < rows; r += TILE_ROWS)
          for (long k = 0; k < m.K; k++)
            addWeightedTile<TILE_ROWS>(m.P, targets + r * m.P, panel + k * panelFloats(),
                                       alpha + r * m.alphaWidth() + j + k, m.alphaWidth(), sum + r * width + j, width);
      }
    }
    for (long r = 0; r < rows; r++)
      for (long j = 0; j <= i0 + r; j += LANES) {
        float* out = map + (i0 + r) * m.L + j;
        const long count = i0 + r + 1 - j;
        storePart(out, loadPart(out, count) + load(sum + r * width + j), count);
      }
  }
};

KERNEL(ssdBlockSum) {
  const SsdBlock m(args);
  const SsdBlockSum sum{m, args.floats(9)};
  const long tasks = ceilDiv(m.L, TARGETS);
  __builtin_memset(sum.map, 0, m.L * m.L * sizeof(float));
  eachHeadGroup(
      m, workspace(0, HeadGroup::floats(m)), 1, [&](long h, float* panels) { sum.loadPanels(h, panels); },
      [&](const HeadGroup& group) {
        // The lowest rows are the longest: they go first.
        parallelFor(tasks, [&](long task) { sum.addRows(group, (tasks - 1 - task) * TARGETS); });
      });
}

KERNELS_END
