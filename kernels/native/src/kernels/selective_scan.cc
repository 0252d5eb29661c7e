// The S6 recurrence with its fused neighbours, float32:
//   S_t = exp(Δ_t A) S_{t-1} + Δ_t B_t x_t,  y_t = (C_t.S_t + D x_t) * SiLU(z_t),  Δ = delta or softplus(delta)
// selectiveScan(x, delta, A, B, C, D|null, z|null, S|null, y, last|null, batch, L, E, N, softplus)
// x, delta, z, y [batch,L,E]; A [E,N]; B, C [batch,L,N]; D [E]; S, the state before the first token (0 where null), and
// last, the state after the last one, [batch,E,N].
//
// Lanes are channels. A task walks a block of channels in tiles of a few steps; within a tile it takes as many states
// as the registers hold and keeps them there.
// Floor: 9 multiply-class instructions for each vector of states (product, 2^x of degree 5, update, output), on two
// ports, plus about 60 for each vector of y: 1.7 ms for L=512, E=1536, N=16 on two 3.4 GHz AVX2 cores.
#include "../core/kernel.h"
#include "selective_scan.inc"

KERNELS_BEGIN

// Runs STATES states of one vector of channels through a tile and adds their output to y.
template <int STATES>
void scanStates(ScanTile& tile, const float* B, const float* C, long N, const float* A2, float* states) {
  vf h[STATES];
#pragma GCC unroll 16
  for (int n = 0; n < STATES; n++) h[n] = load(states + n * LANES);
  for (long t = 0; t < tile.steps; t++, B += N, C += N) {
    const vf step = tile.step[t], input = tile.input[t];
    vf even = tile.y[t], odd = vf{};
#pragma GCC unroll 16
    for (int n = 0; n < STATES; n++) {
      h[n] = vexp2NonPositive(step * load(A2 + n * LANES)) * h[n] + input * splat(B[n]);
      if (n & 1) odd += h[n] * splat(C[n]);
      else even += h[n] * splat(C[n]);
    }
    tile.y[t] = even + odd;
  }
#pragma GCC unroll 16
  for (int n = 0; n < STATES; n++) store(states + n * LANES, h[n]);
}

KERNEL(selectiveScan) {
  const ScanArguments s(args);
  const float *z = args.floats(6), *S = args.floats(7);
  float *y = args.floats(8), *last = args.floats(9);
  const long width = s.blockWidth(), blocks = ceilDiv(s.E, width * LANES);
  parallelFor(s.batch * blocks, [&](long task) {
    const long b = task / blocks, first = task % blocks * width * LANES;
    const long vectors = minimum(width, ceilDiv(s.E - first, LANES));
    float* A2 = workspace(0, 2 * width * s.N * LANES);
    float* states = A2 + width * s.N * LANES;
    for (long v = 0; v < vectors; v++) s.loadDecayRates(first + v * LANES, A2 + v * s.N * LANES);
    s.loadStates(S, b, first, vectors, states);
    ScanTile tile;
    for (long t0 = 0; t0 < s.L; t0 += SCAN_STEPS)
      for (long v = 0; v < vectors; v++) {
        const long e = first + v * LANES, lanes = minimum(LANES, s.E - e), row = b * s.L + t0;
        s.loadTile(tile, row, minimum(SCAN_STEPS, s.L - t0), e, lanes);
        const vf skip = s.D ? loadPart(s.D + e, lanes) : vf{};
        for (long t = 0; t < tile.steps; t++) tile.y[t] = skip * tile.x[t];
        forStateGroups(s.N, [&](auto count, long n) {
          scanStates<decltype(count)::value>(tile, s.B + row * s.N + n, s.C + row * s.N + n, s.N,
                                             A2 + (v * s.N + n) * LANES, states + (v * s.N + n) * LANES);
        });
        for (long t = 0; t < tile.steps; t++) {
          const long at = (row + t) * s.E + e;
          storePart(y + at, z ? tile.y[t] * vsilu(loadPart(z + at, lanes)) : tile.y[t], lanes);
        }
      }
    if (last) s.storeStates(last, b, first, vectors, states);
  });
}

KERNELS_END
