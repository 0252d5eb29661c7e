// A block of a residual stream with one Mamba-2 mixer, as training takes it: h [batch,L,d] → h + s, with
//   u = RMS(h; norm),  [z | x | B | C | dt] = W_in u,  y = the mixer of it (ssd_mixer.cc) with Δ = softplus(dt + dt_bias),
//   s = W_out y, or RMS(W_out y; subln) where there is a subln
// Sequence by sequence, so that what one step leaves is still in the cache for the next, and nothing is left to one thread. W_in
// [R,d] with R = 2E + 2·G·N + H; W_out [d,E].
// ssdBlock(h, norm, W_in, convWeight, convBias|null, dtBias, A_log, D, mixerNorm, W_out, subln|null,
//          projected, mixed, delta, scanned, added|null, y, sizes)
// ssdBlockGrad(h, norm, W_in, convWeight, convBias|null, dtBias, A_log, D, mixerNorm, W_out, subln|null,
//              projected, mixed, delta, scanned, added|null, dy,
//              dh, dnorm, dW_in, dconvWeight, dconvBias|null, ddtBias, dA_log, dD, dmixerNorm, dW_out, dsubln|null, sizes)
// sizes: batch, L, d, H, P, G, N, K, ε of norm, of mixerNorm, of subln. `added` is W_out y, where a subln reads it.
//
// The gradients of W_in and W_out are summed over a few sequences by each task, and these sums in order, so that the result does not
// depend on the number of threads.
// Floor: the matrix products and the scan; the rest at the speed of the second-level cache.
#include "../core/kernel.h"
#include "panels.inc"
#include "ssd_mixer.inc"

KERNELS_BEGIN

// Slots that neither products nor the mixer use.
enum : int { kPanels = 6, kRates = 7, kBlockSums = 8, kBlockRows = 9 };

// Tasks of a backward pass: enough for some threads, few enough to sum.
enum : long { GRAD_TASKS = 8 };

void addTo(float* y, const float* x, long count) {
  for (long i = 0; i < count; i += LANES) storePart(y + i, loadPart(y + i, count - i) + loadPart(x + i, count - i), count - i);
}

struct Block {
  const float *h, *norm, *inProj, *dtBias, *A_log, *outProj, *subln;
  float *projected, *delta, *added;
  long d;
  float epsilon, sublnEpsilon;
  Mixer mixer;

  explicit Block(const Arguments& args)
      : h(args.floats(0)), norm(args.floats(1)), inProj(args.floats(2)), dtBias(args.floats(5)), A_log(args.floats(6)),
        outProj(args.floats(9)), subln(args.floats(10)), projected(args.floats(11)), delta(args.floats(13)),
        added(args.floats(15)), d(args.integer(2)),
        epsilon(args.number(8)), sublnEpsilon(args.number(10)),
        mixer{projected, args.floats(3), args.floats(4), args.floats(8), args.floats(12), args.floats(14),
              args.integer(1), args.integer(7), 0, args.number(9), {}} {
    SsdArguments& scan = mixer.scan;
    scan.batch = args.integer(0), scan.H = args.integer(3), scan.P = args.integer(4);
    scan.G = args.integer(5), scan.N = args.integer(6), scan.D = args.floats(7), scan.delta = delta;
    float* rates = workspace(kRates, scan.H + LANES);
    for (long i = 0; i < scan.H; i += LANES) store(rates + i, -vexp(loadPart(A_log + i, scan.H - i)));
    scan.A = rates;
    mixer.W = mixer.width() + mixer.channels() + scan.H;
    mixer.readMixed();
  }

  long batch() const { return mixer.scan.batch; }
  long rows() const { return mixer.L; }
  long inner() const { return mixer.width(); }
  long W() const { return mixer.W; }
  long steps() const { return mixer.W - mixer.scan.H; } // where dt begins in a row of the joint projection

  Norm normOf(long b) const { return {h + b * rows() * d, norm, nullptr, rows(), d, d, d, epsilon, rows()}; }
  Norm sublnOf(long b) const { return {added + b * rows() * d, subln, nullptr, rows(), d, d, d, sublnEpsilon, rows()}; }

  void forward(long b, long threads, const Panels& in, const Panels& out, const float* panels, float* y) const {
    const long L = rows(), H = mixer.scan.H;
    float *u = workspace(kBlockRows, L * (d + inner())), *mixedOut = u + L * d;
    float *joint = projected + b * L * W(), *step = delta + b * L * H;
    normOf(b).run(u);
    in.multiply(u, L, panels, joint);
    for (long t = 0; t < L; t++)
      for (long i = 0; i < H; i += LANES)
        storePart(step + t * H + i,
                  vsoftplus(loadPart(joint + t * W() + steps() + i, H - i) + loadPart(dtBias + i, H - i)), H - i);
    mixer.forward(b, threads, mixedOut);
    float *sum = y + b * L * d, *product = added ? added + b * L * d : sum;
    out.multiply(mixedOut, L, panels + in.size(), product);
    if (added) sublnOf(b).run(sum);
    addTo(sum, h + b * L * d, L * d);
  }
};

KERNEL(ssdBlock) {
  const Block block(args);
  const Panels in{block.inProj, block.W(), block.d, 1, block.d}, out{block.outProj, block.d, block.inner(), 1, block.inner()};
  float* panels = workspace(kPanels, in.size() + out.size());
  in.pack(panels);
  out.pack(panels + in.size());
  sideBySide(block.batch(), [&](long b, long threads) { block.forward(b, threads, in, out, panels, args.floats(16)); });
}

// What the tasks of a backward pass leave.
struct BlockSums {
  const Block& block;
  long tasks;
  float *inProj, *outProj, *norm, *subln, *dtBias, *mixer;

  long normParts() const { return block.normOf(0).parts(); }
  long inSize() const { return block.W() * block.d; }
  long outSize() const { return block.inner() * block.d; }
  long normSize() const { return block.batch() * normParts() * block.d; }
  long stepSize() const { return block.batch() * block.mixer.scan.H; }
  long size() const {
    return tasks * (inSize() + outSize()) + 2 * normSize() + stepSize() + MixerSums(block.mixer, nullptr).size();
  }

  BlockSums(const Block& b, float* memory) : block(b), tasks(minimum(b.batch(), GRAD_TASKS)), inProj(memory) {
    outProj = inProj + tasks * inSize();
    norm = outProj + tasks * outSize();
    subln = norm + normSize();
    dtBias = subln + normSize();
    mixer = dtBias + stepSize();
  }

  // dh of sequence b from dy; adds to (or with `first` sets) what the task has of the projections.
  void add(long b, long task, bool first, const Panels& in, const Panels& out, const float* panels, const float* dy,
           float* dh) const {
    const Mixer& m = block.mixer;
    const long L = block.rows(), d = block.d, E = block.inner(), R = block.W(), H = m.scan.H;
    float* u = workspace(kBlockRows, L * (3 * d + 2 * E + R + H));
    float *dadded = u + L * d, *du = dadded + L * d, *y = du + L * d, *dmixed = y + L * E, *dprojected = dmixed + L * E;
    float* ddelta = dprojected + L * R;
    if (block.subln) block.sublnOf(b).gradients(dy, dadded, nullptr, subln + b * normParts() * d);
    const float* ds = block.subln ? dadded : dy;
    out.multiply(ds, L, panels + in.size(), dmixed);
    MixerSums(m, mixer).add(b, dmixed, dprojected, ddelta, y);
    multiplyOuter(ds, d, y, E, L, outProj + task * outSize(), !first);
    throughSteps(m.projected + b * L * R, ddelta, dprojected, dtBias + b * H);
    in.multiply(dprojected, L, panels, du);
    block.normOf(b).run(u);
    multiplyOuter(dprojected, R, u, d, L, inProj + task * inSize(), !first);
    block.normOf(b).gradients(du, dh, nullptr, norm + b * normParts() * d);
    addTo(dh, dy, L * d);
  }

  // ddt = ddelta · softplus'(dt + dt_bias), and its sum over the rows.
  void throughSteps(const float* projected, const float* ddelta, float* dprojected, float* sums) const {
    const long H = block.mixer.scan.H, R = block.W();
    for (long i = 0; i < H; i += LANES) {
      const long lanes = H - i;
      const vf bias = loadPart(block.dtBias + i, lanes);
      vf sum = vf{};
      for (long t = 0; t < block.rows(); t++) {
        const long at = t * R + block.steps() + i;
        const vf slope = loadPart(ddelta + t * H + i, lanes) * vsigmoid(loadPart(projected + at, lanes) + bias);
        storePart(dprojected + at, slope, lanes);
        sum += slope;
      }
      storePart(sums + i, sum, lanes);
    }
  }
};

KERNEL(ssdBlockGrad) {
  const Block block(args);
  const long L = block.rows(), d = block.d, E = block.inner(), R = block.W(), H = block.mixer.scan.H, batch = block.batch();
  const Panels in{block.inProj, d, R, d, 1}, out{block.outProj, E, d, E, 1};
  float* panels = workspace(kPanels, in.size() + out.size());
  in.pack(panels);
  out.pack(panels + in.size());
  const BlockSums sums(block, workspace(kBlockSums, BlockSums(block, nullptr).size()));
  const float* dy = args.floats(16);
  float *dh = args.floats(17), *dA = args.floats(23);
  sideBySide(sums.tasks, [&](long task, long) {
    const long begin = batch * task / sums.tasks, end = batch * (task + 1) / sums.tasks;
    for (long b = begin; b < end; b++)
      sums.add(b, task, b == begin, in, out, panels, dy + b * L * d, dh + b * L * d);
  });
  sumParts(args.floats(18), sums.norm, batch * sums.normParts(), d, d);
  sumParts(args.floats(19), sums.inProj, sums.tasks, R * d, R * d);
  MixerSums(block.mixer, sums.mixer).total(args.floats(20), args.floats(21), dA, args.floats(24), args.floats(25));
  for (long i = 0; i < H; i++) dA[i] *= block.mixer.scan.A[i]; // dA/dA_log = A
  sumParts(args.floats(22), sums.dtBias, batch, H, H);
  sumParts(args.floats(26), sums.outProj, sums.tasks, d * E, d * E);
  if (block.subln) sumParts(args.floats(27), sums.subln, batch * sums.normParts(), d, d);
}

KERNELS_END
