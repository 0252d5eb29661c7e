// Gradients of the selective scan (equations: kernels/reference/selective-scan.ts):
// selectiveScanGrad(x, delta, A, B, C, D|null, z|null, S|null, dy, dlast|null, dx, ddelta, dA, dB, dC, dD|null, dz|null,
//                   dS|null, batch, L, E, N, softplus)
// S is the state before the first token and dlast the gradient of the one after the last, both 0 where null.
//
// Lanes are channels. A task walks its block of channels forward once, keeping the state at every tile's start; then
// tile by tile backward, where the states and decays of the tile are computed again into the first-level cache. dB and
// dC sum over channels: each task has rows of its own, summed in the tasks' order, so that the result does not depend
// on the number of threads. The same for dA and dD over the batch.
// Floor: two exponentials and about 16 more multiply-class instructions for each vector of states, some 15 cycles: three
// times the forward scan.
#include "../core/kernel.h"
#include "partial_sums.inc"
#include "selective_scan.inc"

KERNELS_BEGIN

enum : long { GROUP = 2 };

// What the backward walk over one tile and one vector of channels reads and adds to.
struct GradTile {
  vf dy[SCAN_STEPS];       // gradient of y before the gate
  vf inputSum[SCAN_STEPS]; // Σ_n B G
  vf decaySum[SCAN_STEPS]; // Σ_n A G a S_{t-1}, A times log2 e
};

// States and decays of a tile for `STATES` states, from the state at its start: after[t], decay[t], t-major; row 0 of
// `states` is the start. With `OUTPUT`, adds C.S to tile.y.
template <int STATES, bool OUTPUT>
void recompute(ScanTile& tile, const float* B, const float* C, long N, const float* A2, const float* start, vf* states,
               vf* decays) {
  vf h[STATES];
#pragma GCC unroll 8
  for (int n = 0; n < STATES; n++) states[n] = h[n] = load(start + n * LANES);
  for (long t = 0; t < tile.steps; t++, B += N, C += N) {
    const vf step = tile.step[t], input = tile.input[t];
    vf y = tile.y[t];
#pragma GCC unroll 8
    for (int n = 0; n < STATES; n++) {
      const vf decay = vexp2NonPositive(step * load(A2 + n * LANES));
      h[n] = decay * h[n] + input * splat(B[n]);
      if (OUTPUT) y += h[n] * splat(C[n]);
      decays[t * STATES + n] = decay;
      states[(t + 1) * STATES + n] = h[n];
    }
    if (OUTPUT) tile.y[t] = y;
  }
}

// The adjoint recurrence over one tile: G_t = C_t dy_t + a_{t+1} G_{t+1}, with everything that sums over it.
template <int STATES>
void adjoint(const ScanTile& tile, GradTile& grad, const float* B, const float* C, long N, const float* A2,
             const vf* states, const vf* decays, float* adjoints, float* dA, vf* dB, vf* dC) {
  vf g[STATES], da[STATES];
#pragma GCC unroll 8
  for (int n = 0; n < STATES; n++) g[n] = load(adjoints + n * LANES), da[n] = load(dA + n * LANES);
  for (long t = tile.steps - 1; t >= 0; t--) {
    const vf dy = grad.dy[t], input = tile.input[t], step = tile.step[t];
    vf inputSum = grad.inputSum[t], decaySum = grad.decaySum[t];
#pragma GCC unroll 8
    for (int n = 0; n < STATES; n++) {
      const vf decay = decays[t * STATES + n];
      g[n] += dy * splat(C[t * N + n]);
      const vf flow = g[n] * decay * states[t * STATES + n];
      inputSum += g[n] * splat(B[t * N + n]);
      decaySum += flow * load(A2 + n * LANES);
      da[n] += step * flow;
      dB[t * N + n] += input * g[n];
      dC[t * N + n] += dy * states[(t + 1) * STATES + n];
      g[n] *= decay;
    }
    grad.inputSum[t] = inputSum;
    grad.decaySum[t] = decaySum;
  }
#pragma GCC unroll 8
  for (int n = 0; n < STATES; n++) store(adjoints + n * LANES, g[n]), store(dA + n * LANES, da[n]);
}

template <class Body>
ALWAYS_INLINE void forPairs(long N, Body body) {
  for (long n = 0; n + GROUP <= N; n += GROUP) body(Constant<GROUP>(), n);
  if (N % GROUP) body(Constant<1>(), N - 1);
}

struct ScanGradient {
  const ScanArguments s;
  const float *z, *S, *dy, *dlast;
  float *dx, *ddelta, *dz, *dS;

  explicit ScanGradient(const Arguments& args)
      : s(args), z(args.floats(6)), S(args.floats(7)), dy(args.floats(8)), dlast(args.floats(9)),
        dx(args.floats(10)), ddelta(args.floats(11)), dz(args.floats(16)), dS(args.floats(17)) {}

  // Gradients of the channels `first` .. of batch item b. dA [E][N] and dD [E] are this batch item's own, dB and dC
  // [L][N] this task's own.
  void run(long b, long first, long vectors, float* dA, float* dD, float* dB, float* dC) const {
    const long N = s.N, L = s.L, tiles = ceilDiv(L, SCAN_STEPS), perVector = N * LANES;
    float* memory = workspace(1, (4 + tiles) * vectors * perVector);
    float *A2 = memory, *states = A2 + vectors * perVector, *adjoints = states + vectors * perVector;
    float *sumA = adjoints + vectors * perVector, *starts = sumA + vectors * perVector;
    for (long v = 0; v < vectors; v++) s.loadDecayRates(first + v * LANES, A2 + v * perVector);
    s.loadStates(S, b, first, vectors, states);
    s.loadStates(dlast, b, first, vectors, adjoints);
    clear(sumA, vectors * perVector);
    vf skipSum[SCAN_BLOCK_VECTORS] = {};
    const long sumRows = ceilDiv(SCAN_STEPS * N, LANES) * LANES;
    vf* scratch = reinterpret_cast<vf*>(workspace(2, (2 * sumRows + (2 * SCAN_STEPS + 1) * GROUP) * LANES));
    vf *sumB = scratch, *sumC = sumB + sumRows, *after = sumC + sumRows, *decays = after + (SCAN_STEPS + 1) * GROUP;
    ScanTile tile;
    for (long i = 0; i < tiles; i++)
      for (long v = 0; v < vectors; v++) {
        const long t0 = i * SCAN_STEPS, e = first + v * LANES;
        __builtin_memcpy(starts + (i * vectors + v) * perVector, states + v * perVector, perVector * sizeof(float));
        if (i + 1 < tiles) advance(tile, b * L + t0, minimum(SCAN_STEPS, L - t0), e, A2 + v * perVector, states + v * perVector);
      }
    for (long i = tiles - 1; i >= 0; i--) {
      const long t0 = i * SCAN_STEPS, steps = minimum(SCAN_STEPS, L - t0), row = b * L + t0;
      clear(reinterpret_cast<float*>(sumB), 2 * sumRows * LANES);
      for (long v = 0; v < vectors; v++) {
        const long e = first + v * LANES, lanes = minimum(LANES, s.E - e);
        GradTile grad;
        s.loadTile(tile, row, steps, e, lanes);
        const vf skip = s.D ? loadPart(s.D + e, lanes) : vf{};
        for (long t = 0; t < steps; t++) {
          const long at = (row + t) * s.E + e;
          const vf out = loadPart(dy + at, lanes);
          grad.dy[t] = z ? out * vsilu(loadPart(z + at, lanes)) : out;
          grad.inputSum[t] = grad.decaySum[t] = vf{};
          tile.y[t] = skip * tile.x[t];
        }
        forPairs(N, [&](auto count, long n) {
          constexpr int STATES = decltype(count)::value;
          const float *B = s.B + row * N + n, *C = s.C + row * N + n, *rates = A2 + v * perVector + n * LANES;
          const float* start = starts + (i * vectors + v) * perVector + n * LANES;
          if (z) recompute<STATES, true>(tile, B, C, N, rates, start, after, decays);
          else recompute<STATES, false>(tile, B, C, N, rates, start, after, decays);
          adjoint<STATES>(tile, grad, B, C, N, rates, after, decays, adjoints + v * perVector + n * LANES,
                          sumA + v * perVector + n * LANES, sumB + n, sumC + n);
        });
        for (long t = 0; t < steps; t++) {
          const long at = (row + t) * s.E + e;
          const vf dstep = grad.decaySum[t] * splat(0.6931471805599453f) + tile.x[t] * grad.inputSum[t];
          const vf slope = s.softplus ? vsigmoid(loadPart(s.delta + at, lanes)) : splat(1.f);
          storePart(dx + at, skip * grad.dy[t] + tile.step[t] * grad.inputSum[t], lanes);
          storePart(ddelta + at, dstep * slope, lanes);
          skipSum[v] += grad.dy[t] * tile.x[t];
          if (!z) continue;
          const vf gate = loadPart(z + at, lanes), open = vsigmoid(gate);
          const vf rise = open * (splat(1.f) + gate * (splat(1.f) - open));
          storePart(dz + at, loadPart(dy + at, lanes) * tile.y[t] * rise, lanes);
        }
      }
      sumLanesOfRows(dB + t0 * N, sumB, steps * N);
      sumLanesOfRows(dC + t0 * N, sumC, steps * N);
    }
    for (long v = 0; v < vectors; v++) {
      const long e = first + v * LANES, lanes = minimum(LANES, s.E - e);
      for (long lane = 0; lane < lanes; lane++)
        for (long n = 0; n < N; n++) dA[(e + lane) * N + n] = sumA[(v * N + n) * LANES + lane];
      if (s.D) storePart(dD + e, skipSum[v], lanes);
    }
    if (dS) s.storeStates(dS, b, first, vectors, adjoints);
  }

  // Moves the states of one vector of channels over a tile.
  void advance(ScanTile& tile, long row, long steps, long e, const float* A2, float* states) const {
    s.loadTile(tile, row, steps, e, minimum(LANES, s.E - e));
    forStateGroups(s.N, [&](auto count, long n) {
      constexpr int STATES = decltype(count)::value;
      vf h[STATES];
      const float* B = s.B + row * s.N + n;
#pragma GCC unroll 16
      for (int k = 0; k < STATES; k++) h[k] = load(states + (n + k) * LANES);
      for (long t = 0; t < steps; t++, B += s.N)
#pragma GCC unroll 16
        for (int k = 0; k < STATES; k++)
          h[k] = vexp2NonPositive(tile.step[t] * load(A2 + (n + k) * LANES)) * h[k] + tile.input[t] * splat(B[k]);
#pragma GCC unroll 16
      for (int k = 0; k < STATES; k++) store(states + (n + k) * LANES, h[k]);
    });
  }
};

KERNEL(selectiveScanGrad) {
  const ScanGradient gradient(args);
  const ScanArguments& s = gradient.s;
  float *dA = args.floats(12), *dB = args.floats(13), *dC = args.floats(14), *dD = args.floats(15);
  // The partial sums fix the split into blocks, so it must not follow the number of threads.
  const long width = s.E >= 8 * SCAN_BLOCK_VECTORS * LANES ? SCAN_BLOCK_VECTORS : 2;
  const long blocks = ceilDiv(s.E, width * LANES), rows = s.L * s.N;
  float* sumA = workspace(0, s.batch * (s.E * (s.N + 1) + 2 * blocks * rows));
  float *sumD = sumA + s.batch * s.E * s.N, *sumB = sumD + s.batch * s.E, *sumC = sumB + s.batch * blocks * rows;
  parallelFor(s.batch * blocks, [&](long task) {
    const long b = task / blocks, first = task % blocks * width * LANES;
    gradient.run(b, first, minimum(width, ceilDiv(s.E - first, LANES)), sumA + b * s.E * s.N, sumD + b * s.E,
                 sumB + task * rows, sumC + task * rows);
  });
  sumParts(dA, sumA, s.batch, s.E * s.N, s.E * s.N);
  if (dD) sumParts(dD, sumD, s.batch, s.E, s.E);
  for (long b = 0; b < s.batch; b++) {
    sumParts(dB + b * rows, sumB + b * blocks * rows, blocks, rows, rows);
    sumParts(dC + b * rows, sumC + b * blocks * rows, blocks, rows, rows);
  }
}

KERNELS_END
