// Depthwise causal convolution with zero left padding, SiLU fused:
//   c_t[e] = bias[e] + Σ_k weight[e,k] x_{t-K+1+k}[e],  y = c or SiLU(c)
// causalConv1d(x, weight, bias|null, y, batch, L, E, K, silu, row)
// causalConv1dGrad(x, weight, bias|null, dy, dx, dweight, dbias|null, batch, L, E, K, silu, row)
// x, y [batch,L,E]; weight [E,1,K]; bias [E]. Rows of x and dx are `row` apart, so that they may be columns of something wider.
//
// Floor: forward, 8 bytes of traffic per element and with SiLU about 25 instructions per vector; backward, 12 bytes and
// about 45. Lanes are channels; the taps of a block of channels stay in the first-level cache.
#include "../core/kernel.h"
#include "causal_conv1d.inc"
#include "partial_sums.inc"

KERNELS_BEGIN

enum : long { CONV_VECTORS = 8 };

KERNEL(causalConv1d) {
  const long batch = args.integer(0), L = args.integer(1), E = args.integer(2), K = args.integer(3);
  const bool silu = args.integer(4) != 0;
  const Conv conv{args.floats(0), args.floats(1), args.floats(2), L, E, K, args.integer(5)};
  float* y = args.floats(3);
  const long vectors = ceilDiv(E, LANES), stride = vectors * LANES;
  float* taps = workspace(0, K * stride);
  conv.loadTaps(0, vectors, taps);
  parallelRanges(batch * L, maximum(1, 16384 / E), [&](long begin, long end) {
    for (long row = begin; row < end; row++) {
      const long t = row % L;
      for (long e = 0; e < E; e += LANES) {
        const vf c = conv.at(row - t, t, e, E - e, taps + e, stride);
        storePart(y + row * E + e, silu ? vsilu(c) : c, E - e);
      }
    }
  });
}

// A strip of rows of one vector of channels, with FIXED taps in registers: from row `begin` on it forms dc, from which dx of
// the rows K - 1 before follows, and adds to the sums of taps and bias. `last` keeps the K - 1 inputs and dc before the strip.
template <int FIXED>
struct ConvStrip {
  const Conv& conv;
  const float* dy;
  float* dx;
  bool silu;

  ALWAYS_INLINE void run(long base, long begin, long end, long e, const float* taps, long stride, float* last,
                         float* sums) const {
    const long E = conv.E, L = conv.L, lanes = E - e;
    const vf one = splat(1.f), bias = conv.bias ? loadPart(conv.bias + e, lanes) : vf{};
    vf tap[FIXED], x[FIXED], dc[FIXED], sum[FIXED], biasSum = load(sums + FIXED * stride);
    for (int k = 0; k < FIXED; k++) {
      tap[k] = load(taps + k * stride);
      sum[k] = load(sums + k * stride);
      x[k] = k > 0 ? load(last + (k - 1) * stride) : vf{};
      dc[k] = k > 0 ? load(last + (FIXED + k - 2) * stride) : vf{};
    }
    for (long t = begin; t < end; t++) {
      for (int k = 0; k + 1 < FIXED; k++) {
        x[k] = x[k + 1];
        dc[k] = dc[k + 1];
      }
      if (t < L) {
        x[FIXED - 1] = loadPart(conv.x + (base + t) * conv.row + e, lanes);
        vf d = loadPart(dy + (base + t) * E + e, lanes);
        if (silu) {
          vf c = bias;
          for (int k = 0; k < FIXED; k++) c += tap[k] * x[k];
          const vf s = vsigmoid(c);
          d = d * s * (one + c * (one - s));
        }
        dc[FIXED - 1] = d;
        biasSum += d;
        for (int k = 0; k < FIXED; k++) sum[k] += d * x[k];
      } else {
        dc[FIXED - 1] = vf{};
      }
      if (t < FIXED - 1) continue;
      vf into = vf{};
      for (int k = 0; k < FIXED; k++) into += tap[k] * dc[FIXED - 1 - k];
      storePart(dx + (base + t - FIXED + 1) * conv.row + e, into, lanes);
    }
    for (int k = 0; k < FIXED; k++) {
      store(sums + k * stride, sum[k]);
      if (k == 0) continue;
      store(last + (k - 1) * stride, x[k]);
      store(last + (FIXED + k - 2) * stride, dc[k]);
    }
    store(sums + FIXED * stride, biasSum);
  }
};

// Rows of a strip: what a task reads of them stays in the first-level cache.
enum : long { STRIP_ROWS = 16 };

template <int FIXED>
void convGrad(const Conv& conv, const float* dy, float* dx, float* dweight, float* dbias, long batch, bool silu) {
  const long E = conv.E, L = conv.L, groups = ceilDiv(E, CONV_VECTORS * LANES), row = groups * CONV_VECTORS * LANES;
  float* parts = workspace(0, batch * (FIXED + 1) * row);
  parallelFor(batch * groups, [&](long task) {
    const long b = task / groups, first = task % groups * CONV_VECTORS * LANES;
    const long vectors = minimum(CONV_VECTORS, ceilDiv(E - first, LANES)), stride = vectors * LANES;
    float* taps = workspace(1, (4 * FIXED) * stride);
    float *last = taps + FIXED * stride, *sums = parts + b * (FIXED + 1) * row + first * (FIXED + 1);
    conv.loadTaps(first, vectors, taps);
    __builtin_memset(last, 0, 2 * (FIXED - 1) * stride * sizeof(float));
    __builtin_memset(sums, 0, (FIXED + 1) * stride * sizeof(float));
    const ConvStrip<FIXED> strip{conv, dy, dx, silu};
    for (long t = 0; t < L + FIXED - 1; t += STRIP_ROWS)
      for (long v = 0; v < vectors; v++)
        strip.run(b * L, t, minimum(t + STRIP_ROWS, L + FIXED - 1), first + v * LANES, taps + v * LANES, stride,
                  last + v * LANES, sums + v * LANES);
  });
  float* total = workspace(2, (FIXED + 1) * row);
  sumParts(total, parts, batch, (FIXED + 1) * row, (FIXED + 1) * row);
  for (long e = 0; e < E; e++) {
    const long first = e / (CONV_VECTORS * LANES) * CONV_VECTORS * LANES;
    const long stride = minimum(CONV_VECTORS, ceilDiv(E - first, LANES)) * LANES;
    const float* of = total + first * (FIXED + 1) + e - first;
    for (long k = 0; k < FIXED; k++) dweight[e * FIXED + k] = of[k * stride];
    if (dbias) dbias[e] = of[FIXED * stride];
  }
}

// Any number of taps.
void convGradOfAny(const Conv& conv, const float* dy, float* dx, float* dweight, float* dbias, long batch, bool silu) {
  const long L = conv.L, E = conv.E, K = conv.K;
  long width = CONV_VECTORS;
  while (width > 1 && ceilDiv(E, width * LANES) < 3 * threadCount()) width /= 2;
  parallelFor(ceilDiv(E, width * LANES), [&](long task) {
    const long first = task * width * LANES, vectors = minimum(width, ceilDiv(E - first, LANES));
    const long stride = vectors * LANES;
    float* taps = workspace(1, (2 * K + L + 1) * stride);
    float *tapSums = taps + K * stride, *biasSums = tapSums + K * stride, *dc = biasSums + stride;
    conv.loadTaps(first, vectors, taps);
    __builtin_memset(tapSums, 0, (K + 1) * stride * sizeof(float));
    for (long b = 0; b < batch; b++) {
      for (long t = 0; t < L; t++)
        for (long v = 0; v < vectors; v++) {
          const long e = first + v * LANES, lanes = E - e;
          const float* taps0 = taps + v * LANES;
          vf d = loadPart(dy + (b * L + t) * E + e, lanes);
          if (silu) {
            const vf c = conv.at(b * L, t, e, lanes, taps0, stride), s = vsigmoid(c);
            d = d * s * (splat(1.f) + c * (splat(1.f) - s));
          }
          store(dc + t * stride + v * LANES, d);
          store(biasSums + v * LANES, load(biasSums + v * LANES) + d);
          for (long k = maximum(0, K - 1 - t); k < K; k++) {
            float* sum = tapSums + k * stride + v * LANES;
            store(sum, load(sum) + d * loadPart(conv.x + (b * L + t - K + 1 + k) * conv.row + e, lanes));
          }
        }
      for (long s = 0; s < L; s++)
        for (long v = 0; v < vectors; v++) {
          const long e = first + v * LANES;
          vf sum = vf{};
          for (long k = maximum(0, s + K - L); k < K; k++)
            sum += load(taps + k * stride + v * LANES) * load(dc + (s + K - 1 - k) * stride + v * LANES);
          storePart(dx + (b * L + s) * conv.row + e, sum, E - e);
        }
    }
    for (long i = 0; i < minimum(stride, E - first); i++) {
      for (long k = 0; k < K; k++) dweight[(first + i) * K + k] = tapSums[k * stride + i];
      if (dbias) dbias[first + i] = biasSums[i];
    }
  });
}

KERNEL(causalConv1dGrad) {
  const long batch = args.integer(0), L = args.integer(1), E = args.integer(2), K = args.integer(3);
  const Conv conv{args.floats(0), args.floats(1), args.floats(2), L, E, K, args.integer(5)};
  const auto run = K == 4 ? convGrad<4> : K == 3 ? convGrad<3> : K == 2 ? convGrad<2> : convGradOfAny;
  run(conv, args.floats(3), args.floats(4), args.floats(5), args.floats(6), batch, args.integer(4) != 0);
}

KERNELS_END
