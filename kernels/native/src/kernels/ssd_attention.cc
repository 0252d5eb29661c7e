// Implicit attention of the SSD recurrence, reduced over heads, for targets i and sources j <= i, g the head's group:
//   α_h[i,j] = Δ_j[h] (C_i[g].B_j[g]) exp(A_h Σ_{k=j+1..i} Δ_k[h])
// ssdAttention(delta, A, B, C, map, L, H, G, N, reduction, head): reduction 0 mean, 1 mean of magnitudes, 2 one head.
// delta [L,H], not negative; A [H]; B, C [L,G,N]; map [L,L], zero above the diagonal.
//
// For a block of targets and every source before it, with r the last token before the block, the decay is
// exp(A (S_i - S_r)) exp(A (S_r - S_j)), both at most 1: the sum over a group's heads is a matrix product, multiplied
// elementwise by another one, C.B. Sources within the block take an exponential each. Δ and decays being positive,
// magnitudes need only |C.B|. Sums of Δ are kept in two floats, so that differences of far positions stay right.
// Floor: (G N + H) L²/2 multiply-adds at the speed of register tiles: 0.9 ms for L=1024, H=24, N=128 at 200 GFLOP/s.
#include "../core/kernel.h"
#include "ssd.inc"

KERNELS_BEGIN

enum : long { TARGETS = TILE_ROWS * (48 / TILE_ROWS), SOURCES = 16 * TILE_COLUMNS };

struct SsdAttention {
  const float *C;
  float* map;
  long L, H, G, N, first, last; // heads [first, last]
  bool magnitudes;
  long width;                   // padded L
  float *steps, *high, *low;    // [heads][width]: Δ, and the running sum of A log2(e) Δ
  float* turned;                // B as [G][N][width]

  long heads() const { return last - first + 1; }

  // Decays of head k from the sources j .. j+LANES-1 to token i.
  ALWAYS_INLINE vf decay(long k, long i, long j) const {
    const long at = k * width;
    return vexp2NonPositive((splat(high[at + i]) - load(high + at + j)) + (splat(low[at + i]) - load(low + at + j)));
  }

  void loadHead(const float* delta, const float* A, long k) const {
    const long h = first + k;
    double sum = 0;
    for (long i = 0; i < width; i++) {
      const float step = i < L ? delta[i * H + h] : 0;
      sum += static_cast<double>(step) * static_cast<double>(A[h]) * 1.4426950408889634;
      steps[k * width + i] = step;
      high[k * width + i] = static_cast<float>(sum);
      low[k * width + i] = static_cast<float>(sum - static_cast<double>(high[k * width + i]));
    }
  }

  // Adds (or, for the first group, writes) the heads [k0, k1) of group g to the rows of one block of targets.
  void addGroup(long i0, long rows, long g, long k0, long k1, bool write) const {
    const long count = k1 - k0;
    float* dots = workspace(1, TARGETS * SOURCES);
    float* decays = workspace(2, TARGETS * SOURCES);
    float* targets = workspace(3, TARGETS * count);
    float* sources = workspace(4, count * SOURCES);
    const vi lanes = laneNumbers();
    const vf scale = splat(1.f / static_cast<float>(heads()));
    const Factor targetRows{C + (i0 * G + g) * N, G * N, 1};
    for (long i = 0; i < rows; i++)
      for (long k = 0; k < count && i0 > 0; k++) {
        const long at = (k0 + k) * width;
        targets[i * count + k] =
            vexp2NonPositive(splat((high[at + i0 + i] - high[at + i0 - 1]) + (low[at + i0 + i] - low[at + i0 - 1])))[0];
      }
    const auto put = [&](long i, long j, long end, vf value) {
      float* out = map + (i0 + i) * L + j;
      storePart(out, write ? value : loadPart(out, end - j) + value, end - j);
    };
    for (long j0 = 0; j0 < i0; j0 += SOURCES) {
      const long columns = minimum(SOURCES, i0 - j0);
      for (long k = 0; k < count; k++)
        for (long j = 0; j < padded(columns); j += LANES)
          store(sources + k * SOURCES + j,
                j < columns ? decay(k0 + k, i0 - 1, j0 + j) * load(steps + (k0 + k) * width + j0 + j) : vf{});
      product(rows, columns, N, targetRows, turned + g * N * width + j0, width, dots, SOURCES, false);
      product(rows, columns, count, Factor{targets, count, 1}, sources, SOURCES, decays, SOURCES, false);
      for (long i = 0; i < rows; i++)
        for (long j = 0; j < columns; j += LANES) {
          const vf products = load(dots + i * SOURCES + j);
          put(i, j0 + j, i0, (magnitudes ? vabs(products) : products) * load(decays + i * SOURCES + j) * scale);
        }
    }
    // The block's own sources.
    product(rows, rows, N, targetRows, turned + g * N * width + i0, width, dots, SOURCES, false);
    for (long i = 0; i < rows; i++)
      for (long j = 0; j <= i; j += LANES) {
        vf sum = vf{};
        for (long k = k0; k < k1; k++) sum += decay(k, i0 + i, i0 + j) * load(steps + k * width + i0 + j);
        const vf products = load(dots + i * SOURCES + j);
        const vf alpha = (magnitudes ? vabs(products) : products) * sum * scale;
        put(i, i0 + j, L, select(lanes <= static_cast<int32_t>(i - j), alpha, vf{}));
      }
  }
};

KERNEL(ssdAttention) {
  SsdAttention s{};
  const float *delta = args.floats(0), *A = args.floats(1), *B = args.floats(2);
  s.C = args.floats(3), s.map = args.floats(4);
  s.L = args.integer(0), s.H = args.integer(1), s.G = args.integer(2), s.N = args.integer(3);
  const long reduction = args.integer(4), L = s.L, N = s.N, perGroup = s.H / s.G;
  s.magnitudes = reduction == 1;
  s.first = reduction == 2 ? args.integer(5) : 0, s.last = reduction == 2 ? s.first : s.H - 1;
  s.width = padded(L + TARGETS);
  float* memory = workspace(0, (3 * s.heads() + s.G * N) * s.width);
  s.steps = memory, s.high = s.steps + s.heads() * s.width, s.low = s.high + s.heads() * s.width;
  s.turned = s.low + s.heads() * s.width;
  parallelFor(s.heads(), [&](long k) { s.loadHead(delta, A, k); });
  const long groupBegin = s.first / perGroup, groupEnd = s.last / perGroup + 1;
  for (long g = groupBegin; g < groupEnd; g++)
    transposeInto(s.turned + g * N * s.width, s.width, B + g * N, s.G * N, L, N);
  const long blocks = ceilDiv(L, TARGETS);
  parallelFor(blocks, [&](long task) {
    // The lowest rows are the longest: they go first.
    const long i0 = (blocks - 1 - task) * TARGETS, rows = minimum(TARGETS, L - i0);
    for (long i = i0; i < i0 + rows; i++) clear(s.map + i * L + i0, L - i0);
    for (long g = groupBegin; g < groupEnd; g++)
      s.addGroup(i0, rows, g, maximum(0, g * perGroup - s.first), minimum(s.heads(), (g + 1) * perGroup - s.first),
                 g == groupBegin);
  });
}

KERNELS_END
