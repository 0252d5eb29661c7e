// The SSD recurrence of Mamba-2, float32, in chunks:
//   S_t = exp(Δ_t A_h) S_{t-1} + Δ_t x_t B_t[g]ᵀ,  y_t = S_t C_t[g] + D_h x_t,  g = floor(h/(H/G))
// ssdScan(x, delta, A, B, C, D|null, S|null, y, last|null, batch, L, H, P, G, N, rowX, rowB)
// x, y [batch,L,H,P]; delta [batch,L,H]; A, D [H]; B, C [batch,L,G,N]; S, the state before the first token (0 where null),
// and last, the state after the last one, [batch,H,P,N]. Tokens of x are rowX apart, those of B and C rowB.
//
// Within a chunk of q tokens, with the state S before it,
//   y_i = e_i C_i S + M_i x,  M_ij = (C_i.B_j) Δ_j exp(A Σ_{j<k<=i} Δ_k) for j <= i (+ D_h on the diagonal)
// A task is some heads of one group of one sequence, side by side: C S and the step of the states to the next chunk are one
// wide product each.
// Floor: 2 L H P (2 N + q/2) operations at the speed of register tiles: 2.2 ms for L=512, H=24, P=64, N=128 at 200 GFLOP/s.
#include "../core/kernel.h"
#include "ssd.inc"

KERNELS_BEGIN

// Heads that a task takes side by side: fewer where there would not be two tasks for each thread. Values do not depend on it.
long headsOfTask(const SsdArguments& s) {
  long most = minimum(s.H / s.G, HeadBlock::most(s));
  while (most > 1 && s.batch * s.G * ceilDiv(s.H / s.G, most) < 2 * threadCount()) most = ceilDiv(most, 2);
  return most;
}

// M_ij = (C_i.B_j) Δ_j l_ij for j <= i, zero beyond, with D on the diagonal.
void withinChunk(const ChunkDecays& d, const float* group, float skip, float* M) {
  const vi lanes = laneNumbers();
  for (long i = 0; i < d.length; i++) {
    float* row = M + i * CHUNK;
    for (long j = 0; j < CHUNK; j += LANES)
      store(row + j, j > i ? vf{} : d.between(i, j, lanes) * load(group + i * CHUNK + j) * load(d.step + j));
    row[i] += skip;
  }
}

KERNEL(ssdScan) {
  const SsdArguments s(args);
  const float* S = args.floats(6);
  float *y = args.floats(7), *last = args.floats(8);
  float* dots = workspace(0, s.dotsSize());
  s.computeDots(dots);
  const long heads = s.H / s.G, most = headsOfTask(s), blocks = ceilDiv(heads, most);
  parallelFor(s.batch * s.G * blocks, [&](long task) {
    const long g = task / blocks % s.G, b = task / blocks / s.G, from = task % blocks * most;
    const HeadBlock h(s, g * heads + from, minimum(most, heads - from));
    float* states = workspace(1, s.N * h.stride);
    float* x = workspace(2, 3 * CHUNK * h.stride);
    float *written = x + CHUNK * h.stride, *out = written + CHUNK * h.stride;
    float* M = workspace(3, CHUNK * CHUNK);
    ChunkDecays d[BLOCK_HEADS];
    h.loadStates(s, S, b, states);
    for (long c = 0; c < s.chunks(); c++) {
      const long t0 = c * CHUNK, length = s.chunkLength(c);
      const float* xAt = s.xAt(b, t0, h.first);
      h.loadDecays(s, b, c, d);
      h.copy(s, x, xAt, s.rowX, length, [](long, long) { return 1.f; });
      product(length, h.width, s.N, Factor{s.CAt(b, t0, g), s.rowB, 1}, states, h.stride, out, h.stride, false);
      h.scale(out, length, [&](long i, long j) { return d[i].fromStart[j]; });
      for (long i = 0; i < h.count; i++) {
        const long channel = i * h.wideP;
        withinChunk(d[i], s.dotsAt(dots, b, c, g), s.D ? s.D[h.first + i] : 0, M);
        product(length, h.wideP, Factor{M, CHUNK, 1}, x + channel, h.stride, out + channel, h.stride, true,
                [](long) { return 0L; }, [](long row, long rows) { return row + rows; });
        for (long j = 0; j < length; j++)
          for (long p = 0; p < s.P; p += LANES)
            storePart(y + s.yAt(b, t0 + j, h.first + i) + p, load(out + j * h.stride + channel + p), s.P - p);
      }
      if (!last && c + 1 == s.chunks()) break;
      h.copy(s, written, xAt, s.rowX, length, [&](long i, long j) { return d[i].step[j] * d[i].toEnd[j]; });
      h.advance(s, b, c, d, written, states);
    }
    if (last) h.storeStates(s, last, b, states);
  });
}

KERNELS_END
