// What every source token brings to an S6 scan's gated output at the last of L tokens, by channel, float32:
// s6Row(x, weight, bias|null, scale, sources, free|null, delta, A, B, C, D, L, E, K, N, softplus)
// x, delta, sources [L,E]; weight [E,1,K]; bias, scale, D, free [E]; A [E,N]; B [L,N]; C of the last token [N].
//
// The row of the scan is the scan run backwards: S = C, α_k = Δ_k B_k.S, and S *= exp(Δ_k A) on the way to k - 1; see
// source_row.inc for the rest. Lanes are channels; a task walks a block of channels in tiles of a few steps.
// Floor: 8 multiply-class instructions for each vector of states on two ports, about 90 for each vector of sources:
// nearly that of the scan.
#include "../core/kernel.h"
#include "selective_scan.inc"
#include "source_row.inc"

KERNELS_BEGIN

// A few steps of one vector of channels, later tokens first.
struct RowTile {
  long steps;
  vf before[SCAN_STEPS], reads[SCAN_STEPS];  // Δ of the token behind each, B.S
};

template <int STATES>
void readStates(RowTile& tile, const float* B, long N, const float* A2, float* states) {
  vf h[STATES];
#pragma GCC unroll 16
  for (int n = 0; n < STATES; n++) h[n] = load(states + n * LANES);
  for (long t = 0; t < tile.steps; t++, B -= N) {
    const vf step = tile.before[t];
    vf even = tile.reads[t], odd = vf{};
#pragma GCC unroll 16
    for (int n = 0; n < STATES; n++) {
      h[n] = vexp2NonPositive(step * load(A2 + n * LANES)) * h[n];
      if (n & 1) odd += h[n] * splat(B[n]);
      else even += h[n] * splat(B[n]);
    }
    tile.reads[t] = even + odd;
  }
#pragma GCC unroll 16
  for (int n = 0; n < STATES; n++) store(states + n * LANES, h[n]);
}

KERNEL(s6Row) {
  const RowFold fold(args);
  const float *delta = args.floats(6), *A = args.floats(7), *B = args.floats(8), *C = args.floats(9), *D = args.floats(10);
  const long L = fold.conv.L, E = fold.conv.E, N = args.integer(3);
  const bool softplus = args.integer(4) != 0;
  const long width = fold.blockWidth(), stride = width * LANES;
  parallelFor(ceilDiv(E, stride), [&](long task) {
    const long first = task * stride, vectors = minimum(width, ceilDiv(E - first, LANES));
    float* taps = workspace(kRowBlock, fold.blockFloats(width) + 2 * N * stride + stride);
    float *through = taps + fold.conv.K * stride, *A2 = taps + fold.blockFloats(width), *states = A2 + N * stride;
    float* later = states + N * stride;
    fold.conv.loadTaps(first, width, taps);
    clear(later, stride);
    for (long v = 0; v < vectors; v++)
      for (long n = 0; n < N; n++) {
        store(states + (v * N + n) * LANES, splat(C[n]));
        for (long lane = 0; lane < LANES; lane++) {
          const long e = first + v * LANES + lane;
          A2[(v * N + n) * LANES + lane] = e < E ? A[e * N + n] * 1.4426950408889634f : 0;
        }
      }
    RowTile tile;
    vf steps[SCAN_STEPS];
    for (long top = L - 1; top >= 0; top -= SCAN_STEPS)
      for (long v = 0; v < vectors; v++) {
        const long e = first + v * LANES, lanes = E - e;
        tile.steps = minimum(SCAN_STEPS, top + 1);
        vf before = load(later + v * LANES);
        for (long t = 0; t < tile.steps; t++) {
          const vf raw = loadPart(delta + (top - t) * E + e, lanes);
          steps[t] = softplus ? vsoftplus(raw) : raw;
          tile.before[t] = before;
          tile.reads[t] = vf{};
          before = steps[t];
        }
        store(later + v * LANES, before);
        forStateGroups(N, [&](auto count, long n) {
          readStates<decltype(count)::value>(tile, B + top * N + n, N, A2 + (v * N + n) * LANES,
                                             states + (v * N + n) * LANES);
        });
        for (long t = 0; t < tile.steps; t++) {
          const long k = top - t;
          vf reads = steps[t] * tile.reads[t];
          if (k == L - 1) reads += loadPart(D + e, lanes);
          store(through + k * stride + v * LANES, reads * fold.slope(k, e, lanes, taps + v * LANES, stride));
        }
      }
    fold.finish(first, vectors, taps, through, stride);
  });
}

KERNELS_END
