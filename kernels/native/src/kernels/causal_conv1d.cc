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

KERNELS_BEGIN

Conv convOf(const Arguments& args) {
  return {args.floats(0), args.floats(1), args.floats(2), args.integer(1), args.integer(2), args.integer(3), args.integer(5)};
}

KERNEL(causalConv1d) { convOf(args).run(args.floats(3), args.integer(0), args.integer(4) != 0); }

KERNEL(causalConv1dGrad) {
  const Conv conv = convOf(args);
  const long batch = args.integer(0);
  float* parts = workspace(0, batch * conv.partSize());
  conv.gradients(args.floats(3), args.floats(4), parts, batch, args.integer(4) != 0);
  conv.sumGradients(parts, batch, args.floats(5), args.floats(6));
}

KERNELS_END
