// Sum over channels of the folded S6 maps, which needs none of them by itself (s6_block.inc has the map, s6_products.inc
// the way to all of it but the band):
// s6BlockSum(delta, A, B, C, D, source, taps, target, weight, map, turned, L, E, N, K): map [L,L], zero above the diagonal;
// turned: scratch [4,E,L]. Shapes and what may be absent as in s6_block.inc; delta is not negative, A not positive.
//
// Within K tokens of the diagonal a target does not see all that is read of the source, and D adds to what it sees: this
// band comes from the recurrence, lanes being channels, which holds the states of the last K sources at once.
// Floor: E N L² operations at the speed of register tiles (32 ms for L=512, E=1536, N=16 at 200 GFLOP/s) where nothing
// is left out; three exponentials and 4 K multiply-adds for each token, channel and state.
#include "../core/kernel.h"
#include "s6_attention.inc"
#include "s6_block.inc"
#include "s6_products.inc"

KERNELS_BEGIN

// Tokens of a task of the band; it also steps over the K - 1 tokens before them.
enum : long { RANGE = 64 };

// The entries i - K < j <= i of the rows [begin, end).
struct Band {
  const S6Block& m;
  long begin, end;
  float* map;

  void run() const {
    const long K = m.K, N = m.N, count = end - begin;
    vf* sums = reinterpret_cast<vf*>(workspace(1, (count * K + N * K + N + 3 * K) * LANES));
    vf *h = sums + count * K, *rates = h + N * K, *taps = rates + N, *given = taps + K, *y = given + K;
    __builtin_memset(sums, 0, count * K * sizeof(vf));
    for (long e = 0; e < m.E; e += LANES) {
      const long channels = minimum(LANES, m.E - e);
      for (long n = 0; n < N; n++) {
        rates[n] = vf{};
        for (long lane = 0; lane < channels; lane++)
          rates[n][lane] = m.A[(e + lane) * N + n] * 1.4426950408889634f;
      }
      for (long k = 0; k < K; k++) {
        taps[k] = vf{};
        for (long lane = 0; lane < channels; lane++) taps[k][lane] = m.taps[(e + lane) * K + K - 1 - k];
      }
      const vf D = m.D ? loadPart(m.D + e, channels) : vf{};
      __builtin_memset(h, 0, N * K * sizeof(vf));
      for (long i = maximum(0, begin - K + 1); i < end; i++) {
        const vf delta = loadPart(m.delta + i * m.E + e, channels), source = loadPart(m.source + i * m.E + e, channels);
        for (long lag = 0; lag < K; lag++) {
          const vf weight = i < lag ? vf{} : m.weight ? loadPart(m.weight + (i - lag) * m.E + e, channels) : splat(1.f);
          given[lag] = source * taps[lag] * weight;
          y[lag] = given[lag] * D;
          given[lag] *= delta;
        }
        if (K == 4) step<4>(i, delta, rates, given, h, y);
        else stepAny(i, delta, rates, given, h, y);
        if (i < begin) continue;
        const vf target = loadPart(m.target + i * m.E + e, channels);
        for (long lag = 0; lag < K; lag++) sums[(i - begin) * K + lag] += target * y[lag];
      }
    }
    for (long i = begin; i < end; i++)
      for (long lag = 0; lag < minimum(K, i + 1); lag++)
        map[i * m.L + i - lag] = sumLanes(sums[(i - begin) * K + lag]);
  }

  // Token i for one vector of channels. h[n][lag] is what the source i - lag has put into state n.
  template <int TAPS>
  ALWAYS_INLINE void step(long i, vf delta, const vf* rates, const vf* given, vf* h, vf* y) const {
    vf gives[TAPS], sums[TAPS];
    for (int lag = 0; lag < TAPS; lag++) gives[lag] = given[lag], sums[lag] = y[lag];
    for (long n = 0; n < m.N; n++, h += TAPS) {
      const vf decay = vexp2NonPositive(delta * rates[n]), b = splat(m.B[i * m.N + n]), c = splat(m.C[i * m.N + n]);
      for (int lag = TAPS - 1; lag > 0; lag--) {
        h[lag] = h[lag - 1] * decay + gives[lag] * b;
        sums[lag] += h[lag] * c;
      }
      h[0] = gives[0] * b;
      sums[0] += h[0] * c;
    }
    for (int lag = 0; lag < TAPS; lag++) y[lag] = sums[lag];
  }

  // The same for any K.
  void stepAny(long i, vf delta, const vf* rates, const vf* given, vf* h, vf* y) const {
    for (long n = 0; n < m.N; n++, h += m.K) {
      const vf decay = vexp2NonPositive(delta * rates[n]), b = splat(m.B[i * m.N + n]), c = splat(m.C[i * m.N + n]);
      for (long lag = m.K - 1; lag >= 0; lag--) {
        h[lag] = (lag > 0 ? h[lag - 1] * decay : vf{}) + given[lag] * b;
        y[lag] += h[lag] * c;
      }
    }
  }
};

KERNEL(s6BlockSum) {
  const S6Block m(args);
  S6Products<true> sum{};
  sum.delta = m.delta, sum.A = m.A, sum.B = m.B, sum.C = m.C;
  sum.source = m.source, sum.taps = m.taps, sum.target = m.target, sum.weight = m.weight, sum.map = args.floats(9);
  sum.turned = args.floats(10);
  sum.L = m.L, sum.E = m.E, sum.N = m.N, sum.K = m.K;
  sum.run();
  // Over what the products left in the band.
  parallelFor(ceilDiv(m.L, RANGE), [&](long task) {
    Band{m, task * RANGE, minimum(m.L, (task + 1) * RANGE), sum.map}.run();
  });
}

KERNELS_END
