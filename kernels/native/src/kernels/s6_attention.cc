// Implicit attention of the S6 recurrence by running the recurrence for every source, for targets i and sources j <= i:
//   α_e[i,j] = Δ_j[e] Σ_n C_i[n] B_j[n] exp(A[e,n] Σ_{k=j+1..i} Δ_k[e])
// s6AttentionRecurrent(delta, A, B, C, map, L, E, N, magnitudes, first, last): Σ over the channels first .. last of
// α or (magnitudes) |α|, divided by their number. delta [L,E]; A [E,N]; B, C [L,N]; map [L,L].
//
// Lanes are sources: a task holds a strip of columns and runs all rows below, the decays of a token being the same for
// every source. Channels come in groups whose decays fit the cache; where all of a strip's states have decayed below
// 2^-40, the rest of its rows is left out.
// Floor: two multiply-class instructions for each state and vector of the triangle: E N L² / LANES / 2 cycles over the
// threads, 59 ms for L=512, E=1536, N=16 on two 3.4 GHz AVX2 cores where nothing has decayed.
#include "../core/kernel.h"
#include "s6_attention.inc"

KERNELS_BEGIN

enum : long { STRIP_VECTORS = 2, STRIP = STRIP_VECTORS * LANES };
// Decays of a group of channels, in floats.
enum : long { GROUP_FLOATS = 1 << 17 };

struct Strip {
  const float *B, *C, *delta;
  long L, E, N, j0;
  vi lanes[STRIP_VECTORS];
  float* y; // [rows from j0][STRIP]

  // Adds Σ_n C_i[n] S_n over STATES states to y, for the rows from j0 to end.
  template <int STATES>
  void run(long n, long end, long e, const float* decays) const {
    vf h[STATES][STRIP_VECTORS];
    for (int k = 0; k < STATES; k++)
      for (int v = 0; v < STRIP_VECTORS; v++) h[k][v] = vf{};
    const long ramp = minimum(end, j0 + STRIP);
    for (long i = j0; i < ramp; i++) step<STATES, true>(h, i, n, e, decays);
    for (long i = ramp; i < end; i++) step<STATES, false>(h, i, n, e, decays);
  }

  // One token for all sources of the strip; while they begin (`RAMP`), the token also starts its own column.
  template <int STATES, bool RAMP>
  ALWAYS_INLINE void step(vf (*h)[STRIP_VECTORS], long i, long n, long e, const float* decays) const {
    float* out = y + (i - j0) * STRIP;
    vf sum[STRIP_VECTORS];
    for (int v = 0; v < STRIP_VECTORS; v++) sum[v] = load(out + v * LANES);
    for (int k = 0; k < STATES; k++) {
      const vf decay = splat(decays[i * N + n + k]), c = splat(C[i * N + n + k]);
      for (int v = 0; v < STRIP_VECTORS; v++) {
        h[k][v] *= decay;
        if (RAMP) {
          const vf start = splat(delta[i * E + e] * B[i * N + n + k]);
          h[k][v] = select(lanes[v] == static_cast<int32_t>(i - j0), start, h[k][v]);
        }
        sum[v] += h[k][v] * c;
      }
    }
    for (int v = 0; v < STRIP_VECTORS; v++) store(out + v * LANES, sum[v]);
  }
};

// First row whose states, begun no later than `source`, are all below 2^-40 of their start.
long lastingRows(const double* sums, long L, long source, float rate) {
  long low = source + 1, high = L;
  while (low < high) {
    const long middle = (low + high) / 2;
    if (static_cast<double>(rate) * (sums[middle] - sums[source]) < -40) high = middle;
    else low = middle + 1;
  }
  return low;
}

KERNEL(s6AttentionRecurrent) {
  const float *delta = args.floats(0), *A = args.floats(1), *B = args.floats(2), *C = args.floats(3);
  float* map = args.floats(4);
  const long L = args.integer(0), E = args.integer(1), N = args.integer(2);
  const bool magnitudes = args.integer(3) != 0;
  const long first = args.integer(4), last = args.integer(5);
  const long group = minimum(maximum(1, GROUP_FLOATS / (L * N)), last - first + 1);
  float* decays = workspace(0, group * (L * N + 2 * L));
  double* sums = reinterpret_cast<double*>(decays + group * L * N + (group * L * N & 1));
  __builtin_memset(map, 0, L * L * sizeof(float));
  for (long e0 = first; e0 <= last; e0 += group) {
    const long channels = minimum(group, last - e0 + 1);
    parallelFor(channels, [&](long k) { channelDecays(delta + e0 + k, A + (e0 + k) * N, L, E, N, decays + k * L * N, sums + k * L); });
    parallelFor(ceilDiv(L, STRIP), [&](long task) {
      const long j0 = task * STRIP, columns = minimum(STRIP, L - j0);
      Strip strip{B, C, delta, L, E, N, j0, {}, workspace(1, L * STRIP)};
      for (int v = 0; v < STRIP_VECTORS; v++)
        for (int lane = 0; lane < LANES; lane++) strip.lanes[v][lane] = v * LANES + lane;
      for (long k = 0; k < channels; k++) {
        const long e = e0 + k;
        const auto endOf = [&](long n, long count) {
          float slowest = A[e * N + n];
          for (long q = n + 1; q < n + count; q++) slowest = slowest > A[e * N + q] ? slowest : A[e * N + q];
          return lastingRows(sums + k * L, L, j0 + columns - 1, slowest * 1.4426950408889634f);
        };
        const long end = endOf(0, N);
        __builtin_memset(strip.y, 0, (end - j0) * STRIP * sizeof(float));
        long n = 0;
        for (; n + 4 <= N; n += 4) strip.run<4>(n, endOf(n, 4), e, decays + k * L * N);
        for (; n < N; n++) strip.run<1>(n, endOf(n, 1), e, decays + k * L * N);
        for (long i = j0; i < end; i++)
          for (long v = 0; v < columns; v += LANES) {
            const vf alpha = load(strip.y + (i - j0) * STRIP + v);
            float* out = map + i * L + j0 + v;
            storePart(out, loadPart(out, columns - v) + (magnitudes ? vabs(alpha) : alpha), columns - v);
          }
      }
    });
  }
  scaleMap(map, L * L, 1.f / static_cast<float>(last - first + 1));
}

KERNELS_END
