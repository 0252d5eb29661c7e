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
#include "causal_conv1d.inc"
#include "rms_norm.inc"
#include "ssd_scan.inc"
#include "ssd_scan_grad.inc"

KERNELS_BEGIN

// Slots of scratch memory that none of the steps uses.
enum : int { kMixerSums = 4, kMixerRows = 5 };

struct Mixer {
  const float *projected, *convWeight, *convBias, *norm;
  float *mixed, *scanned;
  long L, K, W;
  float epsilon;
  SsdArguments scan;

  explicit Mixer(const Arguments& args)
      : projected(args.floats(0)), convWeight(args.floats(1)), convBias(args.floats(2)), norm(args.floats(5)),
        mixed(args.floats(7)), scanned(args.floats(8)), L(args.integer(1)), K(args.integer(6)), W(args.integer(7)),
        epsilon(args.number(8)) {
    scan.batch = args.integer(0), scan.L = L, scan.H = args.integer(2), scan.P = args.integer(3);
    scan.G = args.integer(4), scan.N = args.integer(5);
    scan.rowX = scan.rowB = channels();
    scan.A = args.floats(3), scan.D = args.floats(4), scan.delta = args.floats(6);
    scan.x = mixed, scan.B = mixed + width(), scan.C = scan.B + scan.G * scan.N;
  }

  long width() const { return scan.H * scan.P; }
  long channels() const { return width() + 2 * scan.G * scan.N; }
  Conv convOf(long b) const {
    return {projected + b * L * W + width(), convWeight, convBias, L, channels(), K, W};
  }
  Norm normOf(long b) const {
    const long E = width();
    return {scanned + b * L * E, norm, projected + b * L * W, L, E, E / scan.G, W, epsilon, L};
  }

  // body(b, threads) for all sequences: side by side where that keeps the threads busy, else one after the other, each on all of
  // them.
  template <class Body>
  void forSequences(Body body) const {
    if (2 * scan.batch > threadCount()) parallelFor(scan.batch, [&](long b) { body(b, threadCount() / scan.batch + 1); });
    else
      for (long b = 0; b < scan.batch; b++) body(b, threadCount());
  }
};

KERNEL(ssdMixer) {
  const Mixer m(args);
  float* y = args.floats(9);
  m.forSequences([&](long b, long threads) {
    m.convOf(b).run(m.mixed + b * m.L * m.channels(), 1, true);
    ssdScan(m.scan.sequence(b), nullptr, m.scanned + b * m.L * m.width(), nullptr, threads);
    m.normOf(b).run(y + b * m.L * m.width());
  });
}

KERNEL(ssdMixerGrad) {
  const Mixer m(args);
  const float* dy = args.floats(9);
  float *dprojected = args.floats(10), *ddelta = args.floats(16);
  const long batch = m.scan.batch, L = m.L, H = m.scan.H, E = m.width(), C = m.channels(), groups = m.scan.G * m.scan.N;
  const long slices = slicesOf(m.scan), normParts = m.normOf(0).parts(), convSize = m.convOf(0).partSize();
  float* sums = workspace(kMixerSums, batch * (normParts * E + convSize + 2 * H));
  float *convSums = sums + batch * normParts * E, *sumA = convSums + batch * convSize, *sumD = sumA + batch * H;
  m.forSequences([&](long b, long) {
    float *dscanned = workspace(kMixerRows, L * (E + C)), *dmixed = dscanned + L * E;
    float* into = dprojected + b * L * m.W;
    m.normOf(b).gradients(dy + b * L * E, dscanned, into, sums + b * normParts * E);
    const SsdGradient gradient{m.scan.sequence(b), nullptr, dscanned, nullptr, dmixed, ddelta + b * L * H, nullptr, nullptr};
    ssdGradients(gradient, slices, dmixed + E, dmixed + E + groups, sumA + b * H, sumD + b * H);
    m.convOf(b).gradients(dmixed, into + E, convSums + b * convSize, 1, true);
  });
  m.convOf(0).sumGradients(convSums, batch, args.floats(11), args.floats(12));
  sumParts(args.floats(13), sumA, batch, H, H);
  sumParts(args.floats(14), sumD, batch, H, H);
  sumParts(args.floats(15), sums, batch * normParts, E, E);
}

KERNELS_END
