// Channel mean of the S6 attention by matrix products, for targets i and sources j <= i:
//   M[i,j] = 1/E Σ_e Σ_n C_i[n] Δ_j[e] B_j[n] exp(A[e,n] (S_i[e] - S_j[e])),  S = running sum of Δ
// s6AttentionMean(delta, A, B, C, map, L, E, N); delta [L,E], not negative; A [E,N], not positive; B, C [L,N]; map [L,L].
//
// With r the last token before a block of targets, exp(A (S_i - S_r)) and exp(A (S_r - S_j)) are both at most 1, and
// (n, e) is one long inner dimension of a product. A task sweeps the blocks of targets below one strip of sources, whose
// factors it moves from one r to the next by a multiplication. The block on the diagonal is a product too where its
// decays are mild enough to divide by, else a recurrence. Channels come in groups that fit the cache. S is summed in
// float64; states whose decay between a strip and a block is below 2^-30 are left out from there on.
// Floor: E N L² operations at the speed of register tiles (32 ms for L=512, E=1536, N=16 at 200 GFLOP/s) where nothing
// is left out, and two exponentials for each token, channel and state.
#include "../core/kernel.h"
#include "gemm.inc"
#include "s6_attention.inc"

KERNELS_BEGIN

enum : long { CHANNELS = 16, CHANNEL_VECTORS = CHANNELS / LANES };
enum : long { BLOCK = LANES == 16 ? 48 : 24, STRIP = 2 * BLOCK, PAIRS = BLOCK * (BLOCK + 1) / 2 };
// Groups of channels between two waits for all threads: as many as keep their factors in the last-level cache.
enum : long { FACTOR_FLOATS = 1 << 20, MOST_GROUPS = 8 };
static const float NEGLIGIBLE = -30, MILD = -80;

// The channels of one group, all tokens.
struct Group {
  long channels;
  float *steps, *rates; // Δ [CHANNELS][width]; A log2 e [N][CHANNELS]
  double* sums;         // S [CHANNELS][1 + width], from S = 0 before the first token
  float *targets;       // [blocks][N * CHANNELS][BLOCK]: C_i exp(A (S_i - S_r))
  float *decays;        // [blocks][N * CHANNELS]: over the whole block
  float *strongest;     // [blocks]: log2 of the smallest of them
};

struct MeanAttention {
  const float *delta, *A, *B, *C;
  float* map;
  long L, E, N, blocks;
  float *turnedB, *turnedC; // [N][width]
  Group groups[MOST_GROUPS];

  long width() const { return blocks * BLOCK; }
  long floatsOfGroup() const {
    return CHANNELS * (3 * width() + 2) + N * CHANNELS * (1 + blocks * (BLOCK + 1)) + blocks + 6 * LANES;
  }
  // S before token t.
  double before(const Group& g, long e, long t) const { return g.sums[e * (width() + 1) + t]; }

  void loadGroup(Group& g, long first) const {
    g.channels = minimum(CHANNELS, E - first);
    for (long e = 0; e < CHANNELS; e++) {
      double sum = 0;
      double* sums = g.sums + e * (width() + 1);
      sums[0] = 0;
      for (long t = 0; t < width(); t++) {
        const float step = e < g.channels && t < L ? delta[t * E + first + e] : 0;
        g.steps[e * width() + t] = step;
        sums[t + 1] = sum += static_cast<double>(step);
      }
      for (long n = 0; n < N; n++)
        g.rates[n * CHANNELS + e] = e < g.channels ? A[(first + e) * N + n] * 1.4426950408889634f : 0;
    }
  }

  void computeTargets(const Group& g, long block) const {
    const long t0 = block * BLOCK, channels = g.channels;
    alignas(64) float distance[CHANNELS * BLOCK], whole[CHANNELS];
    for (long e = 0; e < channels; e++) {
      for (long t = 0; t < BLOCK; t++)
        distance[e * BLOCK + t] = static_cast<float>(before(g, e, t0 + t + 1) - before(g, e, t0));
      whole[e] = distance[e * BLOCK + BLOCK - 1];
    }
    float strongest = 0;
    for (long n = 0; n < N; n++)
      for (long e = 0; e < channels; e++) {
        const float rate = g.rates[n * CHANNELS + e], exponent = rate * whole[e];
        strongest = strongest < exponent ? strongest : exponent;
        g.decays[block * N * CHANNELS + n * channels + e] = vexp2NonPositive(splat(exponent))[0];
        float* out = g.targets + (block * N * CHANNELS + n * channels + e) * BLOCK;
        for (long t = 0; t < BLOCK; t += LANES)
          store(out + t, vexp2NonPositive(splat(rate) * load(distance + e * BLOCK + t)) *
                             load(turnedC + n * width() + t0 + t));
      }
    g.strongest[block] = strongest;
  }

  // Sources of one block, as seen from its last token, into the columns of a strip from `column` on.
  void computeSources(const Group& g, long block, float* strip, long column) const {
    const long t0 = block * BLOCK, channels = g.channels;
    alignas(64) float distance[CHANNELS * BLOCK];
    for (long e = 0; e < channels; e++)
      for (long t = 0; t < BLOCK; t++)
        distance[e * BLOCK + t] = static_cast<float>(before(g, e, t0 + BLOCK) - before(g, e, t0 + t + 1));
    for (long n = 0; n < N; n++)
      for (long e = 0; e < channels; e++) {
        float* out = strip + (n * channels + e) * STRIP + column;
        for (long t = 0; t < BLOCK; t += LANES)
          store(out + t, vexp2NonPositive(splat(g.rates[n * CHANNELS + e]) * load(distance + e * BLOCK + t)) *
                             load(turnedB + n * width() + t0 + t) * load(g.steps + e * width() + t0 + t));
      }
  }

  // c[i, j] += Σ_k targets[k, i] strip[k, j] for the states [n, end).
  void addProduct(const Group& g, const float* targets, const float* strip, long n, long end, float* c, long rowC,
                  long rows, long columns) const {
    const long k = n * g.channels, depth = (end - n) * g.channels;
    for (long j = 0; j < columns; j += TILE_COLUMNS)
      for (long i = 0; i < rows; i += TILE_ROWS)
        anyTile(false, minimum(TILE_ROWS, rows - i), minimum(TILE_COLUMNS, columns - j), depth, targets + k * BLOCK + i,
                1, BLOCK, strip + k * STRIP + j, STRIP, c + i * rowC + j, rowC, true);
  }

  // The block of targets over the strip's `columns` filled columns; dead states of all earlier sources are passed over.
  void addBelow(const Group& g, long block, float* strip, long j0, long columns, uint8_t* dead) const {
    const long i0 = block * BLOCK, rows = minimum(BLOCK, L - i0), channels = g.channels;
    for (long n = 0; n < N; n++) {
      if (dead[n]) continue;
      float most = -1e30f;
      for (long e = 0; e < channels; e++) {
        const float exponent =
            g.rates[n * CHANNELS + e] * static_cast<float>(before(g, e, i0 + 1) - before(g, e, j0 + columns));
        most = most > exponent ? most : exponent;
      }
      dead[n] = most < NEGLIGIBLE;
    }
    for (long n = 0; n < N;) {
      if (dead[n]) {
        // Sources yet to come bring the state back to life, without these.
        for (long k = n * channels; k < (n + 1) * channels && columns < STRIP; k++)
          __builtin_memset(strip + k * STRIP, 0, columns * sizeof(float));
        n++;
        continue;
      }
      long end = n + 1;
      while (end < N && !dead[end]) end++;
      addProduct(g, g.targets + block * N * CHANNELS * BLOCK, strip, n, end, map + i0 * L + j0, L, rows, columns);
      const float* decays = g.decays + block * N * CHANNELS;
      for (long k = n * channels; k < end * channels; k++)
        for (long j = 0; j < columns; j += LANES)
          store(strip + k * STRIP + j, load(strip + k * STRIP + j) * splat(decays[k]));
      n = end;
    }
  }

  // The lower triangle of a block on the diagonal, its sources being in the strip from `column` on: targets and sources
  // are seen from opposite ends of the block, so the whole block's decay is divided out.
  void addMildDiagonal(const Group& g, long block, const float* strip, long column) const {
    const long i0 = block * BLOCK, rows = minimum(BLOCK, L - i0), depth = N * g.channels;
    float* targets = workspace(3, depth * BLOCK);
    alignas(64) float square[BLOCK * BLOCK];
    const float *from = g.targets + block * N * CHANNELS * BLOCK, *decays = g.decays + block * N * CHANNELS;
    for (long k = 0; k < depth; k++) {
      const vf undo = splat(1.f / decays[k]);
      for (long t = 0; t < BLOCK; t += LANES) store(targets + k * BLOCK + t, load(from + k * BLOCK + t) * undo);
    }
    __builtin_memset(square, 0, sizeof square);
    addProduct(g, targets, strip + column, 0, N, square, BLOCK, rows, BLOCK);
    for (long i = 0; i < rows; i++)
      for (long j = 0; j <= i; j++) map[(i0 + i) * L + i0 + j] += square[i * BLOCK + j];
  }

  // Runs the recurrence of one state of LANES channels over a block on the diagonal; lanes stay apart.
  void runDiagonal(const Group& g, long block, long first, long n, vf* pairs) const {
    const long i0 = block * BLOCK, rows = minimum(BLOCK, L - i0);
    vf decays[BLOCK], starts[BLOCK];
    for (long i = 0; i < rows; i++) {
      for (long lane = 0; lane < LANES; lane++) starts[i][lane] = g.steps[(first + lane) * width() + i0 + i];
      decays[i] = vexp2NonPositive(starts[i] * load(g.rates + n * CHANNELS + first));
    }
    for (long j = 0; j < rows; j++) {
      vf h = starts[j] * splat(B[(i0 + j) * N + n]);
      for (long i = j; i < rows; i++) {
        if (i > j) h *= decays[i];
        pairs[i * (i + 1) / 2 + j] += h * splat(C[(i0 + i) * N + n]);
      }
    }
  }

  void addStrongDiagonal(const Group& g, long block) const {
    const long i0 = block * BLOCK, rows = minimum(BLOCK, L - i0);
    vf* pairs = reinterpret_cast<vf*>(workspace(3, PAIRS * LANES));
    __builtin_memset(pairs, 0, PAIRS * sizeof(vf));
    for (long v = 0; v < CHANNEL_VECTORS; v++)
      for (long n = 0; n < N; n++) runDiagonal(g, block, v * LANES, n, pairs);
    for (long i = 0; i < rows; i++)
      for (long j = 0; j <= i; j++) map[(i0 + i) * L + i0 + j] += sumLanes(pairs[i * (i + 1) / 2 + j]);
  }

  // Everything that the sources from j0 on, as many as a strip holds, contribute through one group.
  void addStrip(const Group& g, long j0) const {
    float* strip = workspace(1, N * CHANNELS * STRIP);
    uint8_t* dead = reinterpret_cast<uint8_t*>(workspace(2, N));
    __builtin_memset(dead, 0, N);
    for (long block = j0 / BLOCK; block < blocks; block++) {
      const long filled = minimum(STRIP, block * BLOCK - j0);
      if (filled > 0) addBelow(g, block, strip, j0, filled, dead);
      if (filled == STRIP) continue;
      // New sources are alive in every state.
      __builtin_memset(dead, 0, N);
      computeSources(g, block, strip, filled);
      if (g.strongest[block] >= MILD) addMildDiagonal(g, block, strip, filled);
      else addStrongDiagonal(g, block);
    }
  }
};

KERNEL(s6AttentionMean) {
  MeanAttention m{};
  m.delta = args.floats(0), m.A = args.floats(1), m.B = args.floats(2), m.C = args.floats(3), m.map = args.floats(4);
  m.L = args.integer(0), m.E = args.integer(1), m.N = args.integer(2);
  m.blocks = ceilDiv(m.L, BLOCK);
  const long width = m.width(), N = m.N, K = N * CHANNELS;
  const long most = maximum(1, minimum(MOST_GROUPS, FACTOR_FLOATS / (K * width)));
  float* memory = workspace(0, 2 * N * width + most * m.floatsOfGroup());
  const auto take = [&](long size) {
    float* taken = memory;
    memory += ceilDiv(size, LANES) * LANES;
    return taken;
  };
  for (long q = 0; q < most; q++) {
    Group& g = m.groups[q];
    g.sums = reinterpret_cast<double*>(take(2 * CHANNELS * (width + 1)));
    g.targets = take(m.blocks * K * BLOCK), g.decays = take(m.blocks * K), g.steps = take(CHANNELS * width);
    g.rates = take(K), g.strongest = take(m.blocks);
  }
  m.turnedB = take(N * width), m.turnedC = take(N * width);
  __builtin_memset(m.map, 0, m.L * m.L * sizeof(float));
  for (long n = 0; n < N; n++)
    for (long t = 0; t < width; t++) {
      m.turnedB[n * width + t] = t < m.L ? m.B[t * N + n] : 0;
      m.turnedC[n * width + t] = t < m.L ? m.C[t * N + n] : 0;
    }
  for (long first = 0; first < m.E; first += most * CHANNELS) {
    const long groups = minimum(most, ceilDiv(m.E - first, CHANNELS));
    parallelFor(groups, [&](long q) { m.loadGroup(m.groups[q], first + q * CHANNELS); });
    parallelFor(groups * m.blocks, [&](long task) { m.computeTargets(m.groups[task % groups], task / groups); });
    // The first strips have most targets below them: they go first.
    parallelFor(ceilDiv(width, STRIP), [&](long strip) {
      for (long q = 0; q < groups; q++) m.addStrip(m.groups[q], strip * STRIP);
    });
  }
  scaleMap(m.map, m.L * m.L, 1.f / static_cast<float>(m.E));
}

KERNELS_END
