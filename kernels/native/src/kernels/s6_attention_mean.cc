// Channel mean of the S6 attention by matrix products, for targets i and sources j <= i:
//   M[i,j] = 1/E Σ_e Σ_n C_i[n] Δ_j[e] B_j[n] exp(A[e,n] (S_i[e] - S_j[e])),  S = running sum of Δ
// s6AttentionMean(delta, A, B, C, map, L, E, N); delta [L,E]; A [E,N], not positive; B, C [L,N]; map [L,L].
//
// Tokens come in blocks as wide as a register tile. Level l pairs neighbouring runs of 2^l blocks; with r the last token
// of the first run, exp(A (S_i - S_r)) and exp(A (S_r - S_j)) are both at most 1, and (n, e) is one long inner
// dimension of a product. Blocks on the diagonal run the recurrence, lanes being channels. Channels come in groups that
// fit the cache. S is summed in float64; factors whose product is below 2^-30 for a whole state are left out.
// Floor: E N L² operations at the speed of register tiles (32 ms for L=512, E=1536, N=16 at 200 GFLOP/s) where nothing
// is left out, and log2(L / LANES) exponentials for each token, channel and state.
#include "../core/kernel.h"
#include "gemm.inc"
#include "s6_attention.inc"

KERNELS_BEGIN

enum : long { BLOCK = TILE_COLUMNS, CHANNELS = 16, PAIRS = BLOCK * (BLOCK + 1) / 2, MAX_LEVELS = 24 };
enum : long { CHANNEL_VECTORS = CHANNELS / LANES };
static const float NEGLIGIBLE = -30;

ALWAYS_INLINE vf loadLanes(const float* p, long stride, long count) {
  vf v{};
  for (long lane = 0; lane < minimum(LANES, count); lane++) v[lane] = p[lane * stride];
  return v;
}

struct MeanAttention {
  const float *delta, *A, *B, *C;
  float* map;
  long L, E, N, blocks, levels;
  float *turnedB, *turnedC; // [N][blocks * BLOCK]
  float *factors;           // [levels][blocks][N * CHANNELS][BLOCK]
  float *largest;           // [levels][blocks][N], log2 of the largest decay
  float *steps, *rates;     // of the group: Δ [CHANNELS][blocks * BLOCK]; A log2 e [N][CHANNELS]
  double* sums;             // of the group: S [CHANNELS][blocks * BLOCK]
  vf* diagonal;             // [blocks][PAIRS], lanes still to be summed

  long width() const { return blocks * BLOCK; }
  float* factorsOf(long level, long block) const { return factors + (level * blocks + block) * N * CHANNELS * BLOCK; }
  float* largestOf(long level, long block) const { return largest + (level * blocks + block) * N; }
  static bool isTarget(long level, long block) { return block >> level & 1; }
  // First block of the second run of the pair that `block` is in.
  static long middleOf(long level, long block) { return (block >> (level + 1) << (level + 1)) + (1L << level); }

  void loadGroup(long first, long channels) const {
    for (long e = 0; e < CHANNELS; e++) {
      double sum = 0;
      for (long t = 0; t < width(); t++) {
        const float step = e < channels && t < L ? delta[t * E + first + e] : 0;
        steps[e * width() + t] = step;
        sums[e * width() + t] = sum += static_cast<double>(step);
      }
      for (long n = 0; n < N; n++)
        rates[n * CHANNELS + e] = e < channels ? A[(first + e) * N + n] * 1.4426950408889634f : 0;
    }
  }

  // The factors of one block of tokens at one level, for the `channels` of the group.
  void computeFactors(long level, long block, long channels) const {
    const bool target = isTarget(level, block);
    const long t0 = block * BLOCK, reference = middleOf(level, block) * BLOCK - 1, nearest = target ? 0 : BLOCK - 1;
    if (reference + 1 >= L) return;
    alignas(64) float distance[CHANNELS * BLOCK];
    for (long e = 0; e < channels; e++)
      for (long t = 0; t < BLOCK; t++) {
        const double span = sums[e * width() + t0 + t] - sums[e * width() + reference];
        distance[e * BLOCK + t] = static_cast<float>(target ? span : -span);
      }
    for (long n = 0; n < N; n++) {
      float most = rates[n * CHANNELS] * distance[nearest];
      for (long e = 1; e < channels; e++) {
        const float exponent = rates[n * CHANNELS + e] * distance[e * BLOCK + nearest];
        most = most > exponent ? most : exponent;
      }
      largestOf(level, block)[n] = most;
      if (most < NEGLIGIBLE) continue;
      float* out = factorsOf(level, block) + n * channels * BLOCK;
      const float* token = (target ? turnedC : turnedB) + n * width() + t0;
      for (long e = 0; e < channels; e++, out += BLOCK)
        for (long t = 0; t < BLOCK; t += LANES) {
          const vf decay = vexp2NonPositive(splat(rates[n * CHANNELS + e]) * load(distance + e * BLOCK + t));
          const vf value = decay * load(token + t);
          store(out + t, target ? value : value * load(steps + e * width() + t0 + t));
        }
    }
  }

  // Adds the group's products to the rows of one block of targets.
  void addProducts(long block, long channels) const {
    const long i0 = block * BLOCK, rows = minimum(BLOCK, L - i0);
    for (long level = 0; level < levels; level++) {
      if (!isTarget(level, block)) continue;
      const float *targets = factorsOf(level, block), *targetLargest = largestOf(level, block);
      const long middle = middleOf(level, block);
      for (long source = middle - (1L << level); source < middle; source++) {
        const float *sources = factorsOf(level, source), *sourceLargest = largestOf(level, source);
        const auto matters = [&](long n) { return targetLargest[n] + sourceLargest[n] >= NEGLIGIBLE; };
        for (long n = 0; n < N;) {
          if (!matters(n)) {
            n++;
            continue;
          }
          long end = n + 1;
          while (end < N && matters(end)) end++;
          const long offset = n * channels * BLOCK, depth = (end - n) * channels;
          for (long m = 0; m < rows; m += TILE_ROWS)
            anyTile(false, minimum(TILE_ROWS, rows - m), BLOCK, depth, targets + offset + m, 1, BLOCK, sources + offset,
                    BLOCK, map + (i0 + m) * L + source * BLOCK, L, true);
          n = end;
        }
      }
    }
  }

  // Runs STATES states of one vector of channels over a block on the diagonal.
  template <int STATES>
  void runDiagonal(long block, long first, long channels, long n, vf* decays) const {
    const long i0 = block * BLOCK, rows = minimum(BLOCK, L - i0);
    const float *step = steps + first * width() + i0, *rate = rates + n * CHANNELS + first;
    const long count = channels - first;
    vf* sums = diagonal + block * PAIRS;
    for (long i = 1; i < rows; i++)
      for (int k = 0; k < STATES; k++)
        decays[i * STATES + k] = vexp2NonPositive(loadLanes(step + i, width(), count) * load(rate + k * CHANNELS));
    for (long j = 0; j < rows; j++) {
      const vf start = loadLanes(step + j, width(), count);
      vf h[STATES];
#pragma GCC unroll 8
      for (int k = 0; k < STATES; k++) h[k] = start * splat(B[(i0 + j) * N + n + k]);
      for (long i = j; i < rows; i++) {
        const float* c = C + (i0 + i) * N + n;
        vf sum = sums[i * (i + 1) / 2 + j];
#pragma GCC unroll 8
        for (int k = 0; k < STATES; k++) {
          if (i > j) h[k] *= decays[i * STATES + k];
          sum += h[k] * splat(c[k]);
        }
        sums[i * (i + 1) / 2 + j] = sum;
      }
    }
  }

  void addDiagonal(long block, long channels) const {
    vf decays[BLOCK * 8];
    for (long v = 0; v < CHANNEL_VECTORS && v * LANES < channels; v++) {
      long n = 0;
      for (; n + 8 <= N; n += 8) runDiagonal<8>(block, v * LANES, channels, n, decays);
      for (; n < N; n++) runDiagonal<1>(block, v * LANES, channels, n, decays);
    }
  }

  void finishRows(long block) const {
    const float scale = 1.f / static_cast<float>(E);
    for (long i = block * BLOCK; i < minimum(L, (block + 1) * BLOCK); i++) {
      const long row = i - block * BLOCK;
      for (long j = 0; j < block * BLOCK; j += LANES) store(map + i * L + j, load(map + i * L + j) * splat(scale));
      for (long j = 0; j <= row; j++)
        map[i * L + block * BLOCK + j] = sumLanes(diagonal[block * PAIRS + row * (row + 1) / 2 + j]) * scale;
    }
  }
};

KERNEL(s6AttentionMean) {
  MeanAttention m{};
  m.delta = args.floats(0), m.A = args.floats(1), m.B = args.floats(2), m.C = args.floats(3), m.map = args.floats(4);
  m.L = args.integer(0), m.E = args.integer(1), m.N = args.integer(2);
  m.blocks = ceilDiv(m.L, BLOCK);
  while ((BLOCK << m.levels) < m.L) m.levels++;
  const long width = m.width(), N = m.N;
  float* memory = workspace(0, 2 * N * width + CHANNELS * (3 * width + N) + m.blocks * PAIRS * LANES +
                                   m.levels * m.blocks * N * (CHANNELS * BLOCK + 1));
  const auto take = [&](long size) { float* taken = memory; memory += size; return taken; };
  m.diagonal = reinterpret_cast<vf*>(take(m.blocks * PAIRS * LANES));
  m.factors = take(m.levels * m.blocks * N * CHANNELS * BLOCK);
  m.sums = reinterpret_cast<double*>(take(2 * CHANNELS * width));
  m.turnedB = take(N * width), m.turnedC = take(N * width);
  m.steps = take(CHANNELS * width), m.rates = take(N * CHANNELS), m.largest = take(m.levels * m.blocks * N);
  __builtin_memset(m.map, 0, m.L * m.L * sizeof(float));
  __builtin_memset(m.diagonal, 0, m.blocks * PAIRS * sizeof(vf));
  for (long n = 0; n < N; n++)
    for (long t = 0; t < width; t++) {
      m.turnedB[n * width + t] = t < m.L ? m.B[t * N + n] : 0;
      m.turnedC[n * width + t] = t < m.L ? m.C[t * N + n] : 0;
    }
  for (long first = 0; first < m.E; first += CHANNELS) {
    const long channels = minimum(CHANNELS, m.E - first);
    m.loadGroup(first, channels);
    parallelFor(m.levels * m.blocks, [&](long task) { m.computeFactors(task / m.blocks, task % m.blocks, channels); });
    parallelFor(m.blocks, [&](long task) {
      // The lowest rows are the longest: they go first.
      const long block = m.blocks - 1 - task;
      m.addProducts(block, channels);
      m.addDiagonal(block, channels);
    });
  }
  parallelFor(m.blocks, [&](long block) { m.finishRows(block); });
}

KERNELS_END
