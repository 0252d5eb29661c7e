// A Mamba-2 mixer between its projections, sequence by sequence, so that what one step leaves is still in the cache for the next:
// causal convolution with SiLU → SSD scan → gated RMS norm. [z | x | B | C | dt] of a token are a row of `projected`, W wide;
// [x | B | C] one of `mixed`, C = E + 2·G·N wide; delta [batch,L,H] is Δ; A = −exp(A_log).
// ssdMixer(projected, convWeight, convBias|null, A, D, norm, delta, mixed, scanned, y, batch, L, H, P, G, N, K, W, epsilon)
// ssdMixerGrad(projected, convWeight, convBias|null, A, D, norm, delta, mixed, scanned, dy,
//              dprojected, dconvWeight, dconvBias|null, dA, dD, dnorm, ddelta, batch, L, H, P, G, N, K, W, epsilon)
// All columns of dprojected but those of dt are written. Every value is what the operations give one by one.
//
// Floor: that of the scan; convolution and norm at the speed of the second-level cache.
#include "../core/kernel.h"
#include "ssd_mixer.inc"

KERNELS_BEGIN

Mixer mixerOf(const Arguments& args) {
  Mixer m{args.floats(0), args.floats(1), args.floats(2), args.floats(5), args.floats(7), args.floats(8),
          args.integer(1), args.integer(6), args.integer(7), args.number(8), {}};
  m.scan.batch = args.integer(0), m.scan.H = args.integer(2), m.scan.P = args.integer(3);
  m.scan.G = args.integer(4), m.scan.N = args.integer(5);
  m.scan.A = args.floats(3), m.scan.D = args.floats(4), m.scan.delta = args.floats(6);
  m.readMixed();
  return m;
}

KERNEL(ssdMixer) {
  const Mixer m = mixerOf(args);
  float* y = args.floats(9);
  sideBySide(m.scan.batch, [&](long b, long threads) { m.forward(b, threads, y + b * m.L * m.width()); });
}

KERNEL(ssdMixerGrad) {
  const Mixer m = mixerOf(args);
  const float* dy = args.floats(9);
  float *dprojected = args.floats(10), *ddelta = args.floats(16);
  const MixerSums sums(m, workspace(kMixerSums, MixerSums(m, nullptr).size()));
  sideBySide(m.scan.batch, [&](long b, long) {
    sums.add(b, dy + b * m.L * m.width(), dprojected + b * m.L * m.W, ddelta + b * m.L * m.scan.H, nullptr);
  });
  sums.total(args.floats(11), args.floats(12), args.floats(13), args.floats(14), args.floats(15));
}

KERNELS_END
