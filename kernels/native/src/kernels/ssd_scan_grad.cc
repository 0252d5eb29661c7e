// Gradients of the SSD scan, in chunks (equations of the recurrence: kernels/reference/ssd-scan.ts):
// ssdScanGrad(x, delta, A, B, C, D|null, S|null, dy, dlast|null, dx, ddelta, dA, dB, dC, dD|null, dS|null,
//             batch, L, H, P, G, N)
// S is the state before the first token and dlast the gradient of the one after the last, both 0 where null.
//
// For a chunk with the state S before it and R = ∂loss/∂(state after it), with e_i the decay from the chunk's start, w_j
// the decay to its end, l_ij the decay from j to i, and K_ij = l_ij (dy_i.x_j) for j <= i:
//   dx_j = Δ_j u_j + D dy_j,  u_j = w_j R B_j + Σ_i l_ij (C_i.B_j) dy_i
//   dC_i = e_i S dy_i + Σ_j K_ij Δ_j B_j,   dB_j = Δ_j (w_j R x_j + Σ_i K_ij C_i)
//   ∂loss/∂S = e_end R + Σ_i e_i C_i dy_i
// The gradient of the log-decay of step t is what flows across it: from S or a token before t to the chunk's end or a
// token at or after t. It is summed from those flows alone, never as a difference of two large sums.
//
// A task is a few heads of one group of one sequence, one after the other; their dB and dC go to rows of the task's own,
// summed in the tasks' order, so that the result does not depend on the number of threads.
// Floor: 2 L H (5 N P + q (P + N) + q/2 P) operations at the speed of register tiles: 2.9 times the forward scan.
#include "../core/kernel.h"
#include "partial_sums.inc"
#include "ssd.inc"

KERNELS_BEGIN

// Partial sums of dB and dC for each group when there is one sequence: fixed, and enough for some threads.
enum : long { GRAD_SLICES = 8 };

ALWAYS_INLINE float dot(const float* a, const float* b, long count) {
  vf sum = vf{};
  for (long i = 0; i < count; i += LANES) sum += loadPart(a + i, count - i) * loadPart(b + i, count - i);
  return sumLanes(sum);
}

struct SsdGradient {
  const SsdArguments s;
  const float *S, *dy, *dlast;
  float *dx, *ddelta, *dS;
  const float* dots;
  long wideP, wideN;

  // Matrices of one chunk, [CHUNK][CHUNK] unless told, and of the scan's two states.
  struct Buffers {
    float *states;             // S at every chunk's start, [chunks][N][wideP]
    float *adjoint;            // R, [N][wideP]
    float *turned;             // Sᵀ or Rᵀ, [P][wideN]
    float *x, *dy, *u;         // [CHUNK][wideP]
    float *xTurned;            // [P][CHUNK]
    float *B, *C, *fromS, *fromR; // [CHUNK][wideN]
    float *K, *scaledK, *M;

    Buffers(long chunks, long N, long P, long wideN, long wideP) {
      float* at = workspace(1, (chunks + 1) * N * wideP + P * wideN + CHUNK * (3 * wideP + P + 4 * wideN + 3 * CHUNK));
      const auto take = [&](long size) { float* taken = at; at += size; return taken; };
      states = take(chunks * N * wideP), adjoint = take(N * wideP), turned = take(P * wideN);
      x = take(CHUNK * wideP), dy = take(CHUNK * wideP), u = take(CHUNK * wideP), xTurned = take(P * CHUNK);
      B = take(CHUNK * wideN), C = take(CHUNK * wideN), fromS = take(CHUNK * wideN), fromR = take(CHUNK * wideN);
      K = take(CHUNK * CHUNK), scaledK = take(CHUNK * CHUNK), M = take(CHUNK * CHUNK);
    }
  };

  // One head: dx and ddelta in place; returns dA and dD; adds to (or with `first` sets) dB and dC [L][N].
  void run(long b, long h, bool first, float* dA, float* dD, float* dB, float* dC) const {
    const long N = s.N, P = s.P, g = s.groupOf(h), stateSize = N * wideP;
    const Buffers m(s.chunks(), N, P, wideN, wideP);
    s.loadState(S, b, h, m.states);
    for (long c = 0; c + 1 < s.chunks(); c++) {
      float* next = m.states + (c + 1) * stateSize;
      __builtin_memcpy(next, m.states + c * stateSize, stateSize * sizeof(float));
      s.advance(next, m.u, s.decays(b, c, h), b, c, h);
    }
    s.loadState(dlast, b, h, m.adjoint);
    double sumA = 0, sumD = 0;
    for (long c = s.chunks() - 1; c >= 0; c--) {
      const long t0 = c * CHUNK;
      const ChunkDecays d = s.decays(b, c, h);
      const float* before = m.states + c * stateSize;
      const auto one = [](long) { return 1.f; };
      copyRows(m.x, wideP, s.xAt(b, t0, h), s.rowOfX(), d.length, P, one);
      copyRows(m.dy, wideP, dy + (s.xAt(b, t0, h) - s.x), s.rowOfX(), d.length, P, one);
      copyRows(m.B, wideN, s.BAt(b, t0, g), s.rowOfB(), d.length, N, one);
      copyRows(m.C, wideN, s.CAt(b, t0, g), s.rowOfB(), d.length, N, one);
      withinChunk(m, d, s.dotsAt(dots, b, c, g));
      throughStates(m, d, before);
      const float flow = d.whole * dot(before, m.adjoint, stateSize);
      sumA += decayGradients(m, d, flow, b, t0, h, s.dotsAt(dots, b, c, g));
      sumD += writeInput(m, d, b, t0, h);
      writeFactors(m, d, first, dB + t0 * N, dC + t0 * N);
      stepBack(m, d);
    }
    if (dS) s.storeState(dS, b, h, m.adjoint);
    *dA = static_cast<float>(sumA);
    *dD = static_cast<float>(sumD);
  }

  // K_ij = l_ij dy_i.x_j, the same times Δ_j, and M_ij = l_ij C_i.B_j.
  void withinChunk(const Buffers& m, const ChunkDecays& d, const float* group) const {
    const vi lanes = laneNumbers();
    transposeInto(m.xTurned, CHUNK, m.x, wideP, d.length, s.P);
    product(d.length, CHUNK, s.P, Factor{m.dy, wideP, 1}, m.xTurned, CHUNK, m.K, CHUNK, false);
    for (long i = 0; i < d.length; i++)
      for (long j = 0; j < CHUNK; j += LANES) {
        const long at = i * CHUNK + j;
        const vf decay = j > i ? vf{} : d.between(i, j, lanes);
        const vf k = decay * load(m.K + at);
        store(m.K + at, k);
        store(m.scaledK + at, k * load(d.step + j));
        store(m.M + at, decay * load(group + at));
      }
  }

  // fromS_i = e_i S dy_i and fromR_j = w_j R x_j, [CHUNK][wideN].
  void throughStates(const Buffers& m, const ChunkDecays& d, const float* before) const {
    transposeInto(m.turned, wideN, before, wideP, s.N, s.P);
    product(d.length, wideN, s.P, Factor{m.dy, wideP, 1}, m.turned, wideN, m.fromS, wideN, false);
    transposeInto(m.turned, wideN, m.adjoint, wideP, s.N, s.P);
    product(d.length, wideN, s.P, Factor{m.x, wideP, 1}, m.turned, wideN, m.fromR, wideN, false);
    for (long i = 0; i < d.length; i++)
      for (long n = 0; n < wideN; n += LANES) {
        const long at = i * wideN + n;
        store(m.fromS + at, load(m.fromS + at) * splat(d.fromStart[i]));
        store(m.fromR + at, load(m.fromR + at) * splat(d.toEnd[i]));
      }
  }

  // ddelta of the chunk; returns its share of dA. `flow` goes from the state before the chunk to the one after it.
  double decayGradients(const Buffers& m, const ChunkDecays& d, float flow, long b, long t0, long h,
                        const float* group) const {
    double toState[CHUNK], toEnd[CHUNK]; // of token j to the chunk's end; and the sum of those before it, times Δ
    double before = 0;
    for (long j = 0; j < d.length; j++) {
      toState[j] = dot(m.B + j * wideN, m.fromR + j * wideN, s.N);
      toEnd[j] = before;
      before += toState[j] * d.step[j];
    }
    const vi lanes = laneNumbers();
    float later[CHUNK] = {}; // Σ_{i >= t} K_ij C_i.B_j for each source j < t
    float own[CHUNK];
    double fromState = 0, share = 0;
    for (long t = d.length - 1; t >= 0; t--) {
      const float *k = m.K + t * CHUNK, *products = group + t * CHUNK;
      own[t] = k[t] * products[t];
      vf inside = vf{};
      for (long j = 0; j < t; j += LANES) {
        const vf total = load(later + j) + select(lanes < static_cast<int32_t>(t - j), load(k + j) * load(products + j), vf{});
        store(later + j, total);
        inside += select(lanes < static_cast<int32_t>(t - j), total * load(d.step + j), vf{});
      }
      fromState += dot(m.C + t * wideN, m.fromS + t * wideN, s.N);
      const double logDecay = flow + fromState + toEnd[t] + sumLanes(inside);
      share += logDecay * d.step[t];
      ddelta[(b * s.L + t0 + t) * s.H + h] = static_cast<float>(logDecay * s.A[h] + toState[t] + own[t]);
    }
    for (long j = 0; j < d.length; j++) ddelta[(b * s.L + t0 + j) * s.H + h] += later[j];
    return share;
  }

  // dx of the chunk; returns its share of dD.
  double writeInput(const Buffers& m, const ChunkDecays& d, long b, long t0, long h) const {
    product(d.length, wideP, s.N, Factor{m.B, wideN, 1}, m.adjoint, wideP, m.u, wideP, false);
    for (long j = 0; j < d.length; j++)
      for (long p = 0; p < wideP; p += LANES)
        store(m.u + j * wideP + p, load(m.u + j * wideP + p) * splat(d.toEnd[j]));
    product(d.length, wideP, Factor{m.M, 1, CHUNK}, m.dy, wideP, m.u, wideP, true, [](long j) { return j; },
            [&](long, long) { return d.length; });
    const vf skip = splat(s.D ? s.D[h] : 0);
    float* out = dx + (s.xAt(b, t0, h) - s.x);
    vf sum = vf{};
    for (long j = 0; j < d.length; j++)
      for (long p = 0; p < s.P; p += LANES) {
        const vf grad = load(m.dy + j * wideP + p);
        sum += grad * load(m.x + j * wideP + p);
        storePart(out + j * s.rowOfX() + p, splat(d.step[j]) * load(m.u + j * wideP + p) + skip * grad, s.P - p);
      }
    return sumLanes(sum);
  }

  void writeFactors(const Buffers& m, const ChunkDecays& d, bool first, float* dB, float* dC) const {
    product(d.length, wideN, Factor{m.scaledK, CHUNK, 1}, m.B, wideN, m.fromS, wideN, true, [](long) { return 0L; },
            [](long i, long rows) { return i + rows; });
    product(d.length, wideN, Factor{m.K, 1, CHUNK}, m.C, wideN, m.fromR, wideN, true, [](long j) { return j; },
            [&](long, long) { return d.length; });
    for (long i = 0; i < d.length; i++)
      for (long n = 0; n < s.N; n += LANES) {
        const long lanes = s.N - n, at = i * s.N + n;
        const vf c = load(m.fromS + i * wideN + n), b = splat(d.step[i]) * load(m.fromR + i * wideN + n);
        storePart(dC + at, first ? c : c + loadPart(dC + at, lanes), lanes);
        storePart(dB + at, first ? b : b + loadPart(dB + at, lanes), lanes);
      }
  }

  // R becomes the gradient of the state before the chunk.
  void stepBack(const Buffers& m, const ChunkDecays& d) const {
    for (long i = 0; i < s.N * wideP; i += LANES) store(m.adjoint + i, load(m.adjoint + i) * splat(d.whole));
    copyRows(m.u, wideP, m.dy, wideP, d.length, wideP, [&](long i) { return d.fromStart[i]; });
    product(s.N, wideP, d.length, Factor{m.C, 1, wideN}, m.u, wideP, m.adjoint, wideP, true);
  }
};

KERNEL(ssdScanGrad) {
  const SsdArguments s(args);
  float *dA = args.floats(11), *dB = args.floats(12), *dC = args.floats(13), *dD = args.floats(14);
  const long heads = s.H / s.G, slices = minimum(heads, ceilDiv(GRAD_SLICES, s.batch * s.G)), rows = s.L * s.N;
  const long tasks = s.batch * s.G * slices;
  float* memory = workspace(0, s.dotsSize() + 2 * tasks * rows + 2 * s.batch * s.H);
  float *dots = memory, *sumB = dots + s.dotsSize(), *sumC = sumB + tasks * rows;
  float *sumA = sumC + tasks * rows, *sumD = sumA + s.batch * s.H;
  s.computeDots(dots);
  const SsdGradient gradient{s,  args.floats(6), args.floats(7), args.floats(8), args.floats(9), args.floats(10),
                             args.floats(15), dots, padded(s.P), padded(s.N)};
  parallelFor(tasks, [&](long task) {
    const long slice = task % slices, g = task / slices % s.G, b = task / slices / s.G;
    const long from = heads * slice / slices, to = heads * (slice + 1) / slices;
    for (long i = from; i < to; i++) {
      const long h = g * heads + i, at = b * s.H + h;
      gradient.run(b, h, i == from, sumA + at, sumD + at, sumB + task * rows, sumC + task * rows);
    }
  });
  sumParts(dA, sumA, s.batch, s.H, s.H);
  if (dD) sumParts(dD, sumD, s.batch, s.H, s.H);
  parallelRanges(s.batch * s.L * s.G, maximum(1, 4096 / s.N), [&](long begin, long end) {
    for (long row = begin; row < end; row++) {
      const long g = row % s.G, t = row / s.G % s.L, b = row / s.G / s.L;
      const long part = ((b * s.G + g) * slices * s.L + t) * s.N;
      for (long n = 0; n < s.N; n += LANES) {
        const long lanes = s.N - n;
        vf totalB = vf{}, totalC = vf{};
        for (long slice = 0; slice < slices; slice++) {
          totalB += loadPart(sumB + part + slice * rows + n, lanes);
          totalC += loadPart(sumC + part + slice * rows + n, lanes);
        }
        storePart(dB + row * s.N + n, totalB, lanes);
        storePart(dC + row * s.N + n, totalC, lanes);
      }
    }
  });
}

KERNELS_END
