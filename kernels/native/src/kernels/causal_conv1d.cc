// Depthwise causal convolution with zero left padding, SiLU fused:
//   c_t[e] = bias[e] + Σ_k weight[e,k] x_{t-K+1+k}[e],  y = c or SiLU(c)
// causalConv1d(x, weight, bias|null, y, batch, L, E, K, silu)
// causalConv1dGrad(x, weight, bias|null, dy, dx, dweight, dbias|null, batch, L, E, K, silu)
// x, y [batch,L,E]; weight [E,1,K]; bias [E].
//
// Floor: forward, 8 bytes of traffic per element and with SiLU about 25 instructions per vector; backward, 12 bytes and
// about 45. Lanes are channels; the taps of a block of channels stay in the first-level cache.
#include "../core/kernel.h"
#include "causal_conv1d.inc"

KERNELS_BEGIN

enum : long { CONV_VECTORS = 8 };

KERNEL(causalConv1d) {
  const long batch = args.integer(0), L = args.integer(1), E = args.integer(2), K = args.integer(3);
  const bool silu = args.integer(4) != 0;
  const Conv conv{args.floats(0), args.floats(1), args.floats(2), L, E, K};
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

KERNEL(causalConv1dGrad) {
  const long batch = args.integer(0), L = args.integer(1), E = args.integer(2), K = args.integer(3);
  const bool silu = args.integer(4) != 0;
  const Conv conv{args.floats(0), args.floats(1), args.floats(2), L, E, K};
  const float* dy = args.floats(3);
  float *dx = args.floats(4), *dweight = args.floats(5), *dbias = args.floats(6);
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
            store(sum, load(sum) + d * loadPart(conv.x + (b * L + t - K + 1 + k) * E + e, lanes));
          }
        }
      for (long s = 0; s < L; s++)
        for (long v = 0; v < vectors; v++) {
          const long e = first + v * LANES;
          vf sum = vf{};
          for (long k = maximum(0, s + K - L); k < K; k++)
            sum += load(taps + k * stride + v * LANES) * load(dc + (s + K - 1 - k) * stride + v * LANES);
          storePart(dx + (b * L + s) * E + e, sum, E - e);
        }
    }
    for (long i = 0; i < minimum(stride, E - first); i++) {
      for (long k = 0; k < K; k++) dweight[(first + i) * K + k] = tapSums[k * stride + i];
      if (dbias) dbias[first + i] = biasSums[i];
    }
  });
}

KERNELS_END
