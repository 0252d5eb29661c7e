// Gradients of the SSD scan, in chunks (equations of the recurrence: kernels/reference/ssd-scan.ts):
// ssdScanGrad(x, delta, A, B, C, D|null, S|null, dy, dlast|null, dx, ddelta, dA, dB, dC, dD|null, dS|null,
//             batch, L, H, P, G, N, rowX, rowB)
// S is the state before the first token and dlast the gradient of the one after the last, both 0 where null.
// Tokens of x and dx are rowX apart, those of B, C, dB and dC rowB.
//
// For a chunk with the state S before it and R = ∂loss/∂(state after it), with e_i the decay from the chunk's start, w_j
// the decay to its end, l_ij the decay from j to i, and K_ij = l_ij (dy_i.x_j) for j <= i:
//   dx_j = Δ_j u_j + D dy_j,  u_j = w_j R B_j + Σ_i l_ij (C_i.B_j) dy_i
//   dC_i = e_i S dy_i + Σ_j K_ij Δ_j B_j,   dB_j = Δ_j (w_j R x_j + Σ_i K_ij C_i)
//   ∂loss/∂S = e_end R + Σ_i e_i C_i dy_i
// The gradient of the log-decay of step t is what flows across it: from S or a token before t to the chunk's end or a
// token at or after t. It is summed from those flows alone, never as a difference of two large sums.
//
// A task is a few heads of one group of one sequence. They lie side by side, so that what meets B, C and the states is one
// wide product, and Σ over heads is inside it. Their dB and dC go to rows of the task's own, summed in the tasks' order, so
// that the result does not depend on the number of threads.
// Floor: 2 L H (6 N P + q P) + 2 L q N operations at the speed of register tiles: 2.8 times the forward scan.
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

  // Matrices of one chunk, a block of heads side by side, and of the block's states. Rows of N and of the block's width are
  // `wideN` and `h.stride` apart.
  struct Buffers {
    long wideN;
    float *states;                  // S at every chunk's start, [chunks][N][stride]
    float *adjoint;                 // R, [N][stride]
    float *turned;                  // Sᵀ or Rᵀ, [width][wideN]
    float *x, *dy;                  // [CHUNK][stride]
    float *written, *arriving;      // Δ_j w_j x_j and e_i dy_i, [CHUNK][stride]
    float *fromS, *u;               // C_i S and w_j R B_j, [CHUNK][stride]
    float *xTurned;                 // of one head, [P][CHUNK]
    float *B, *C, *gradB, *gradC;   // [CHUNK][wideN]
    float *K, *M, *sumK;            // of one head, and Σ_h K_ij Δ_j, [CHUNK][CHUNK]

    Buffers(const SsdArguments& s, const HeadBlock& h) : wideN(spread(toLanes(s.N))) {
      const long state = s.N * h.stride, rows = CHUNK * h.stride, factors = CHUNK * wideN, square = CHUNK * CHUNK;
      float* at = workspace(1, (s.chunks() + 1) * state + h.width * wideN + 6 * rows + s.P * CHUNK + 4 * factors + 3 * square);
      const auto take = [&](long size) { float* taken = at; at += size; return taken; };
      states = take(s.chunks() * state), adjoint = take(state), turned = take(h.width * wideN);
      x = take(rows), dy = take(rows), written = take(rows), arriving = take(rows), fromS = take(rows), u = take(rows);
      B = take(factors), C = take(factors), gradB = take(factors), gradC = take(factors);
      K = take(square), M = take(square), sumK = take(square);
      xTurned = take(s.P * CHUNK);
    }
  };

  // Heads of one group: dx and ddelta in place; dA and dD to their places; adds to (or with `first` sets) dB and dC [L][N].
  void run(long b, const HeadBlock& h, bool first, float* dA, float* dD, float* dB, float* dC) const {
    const long N = s.N, g = s.groupOf(h.first), stateSize = N * h.stride;
    const Buffers m(s, h);
    ChunkDecays d[BLOCK_HEADS];
    h.loadStates(s, S, b, m.states);
    for (long c = 0; c + 1 < s.chunks(); c++) {
      const long length = s.chunkLength(c), t0 = c * CHUNK;
      float* next = m.states + (c + 1) * stateSize;
      __builtin_memcpy(next, m.states + c * stateSize, stateSize * sizeof(float));
      h.loadDecays(s, b, c, d);
      h.copy(s, m.written, s.xAt(b, t0, h.first), s.rowX, length, [&](long i, long j) { return d[i].step[j] * d[i].toEnd[j]; });
      h.advance(s, b, c, d, m.written, next);
    }
    h.loadStates(s, dlast, b, m.adjoint);
    double sumA[BLOCK_HEADS] = {}, sumD[BLOCK_HEADS] = {};
    for (long c = s.chunks() - 1; c >= 0; c--) {
      const long t0 = c * CHUNK;
      h.loadDecays(s, b, c, d);
      loadChunk(m, h, d, b, c, g);
      throughStates(m, h, d, m.states + c * stateSize);
      for (long i = 0; i < h.count; i++) {
        const long channel = i * h.wideP;
        withinChunk(m, h, d[i], channel, i == 0, s.dotsAt(dots, b, c, g));
        const float flow = d[i].whole * h.dotOf(m.states + c * stateSize + channel, m.adjoint + channel, N);
        sumA[i] += decayGradients(m, h, d[i], channel, flow, b, t0, h.first + i, s.dotsAt(dots, b, c, g));
        sumD[i] += writeInput(m, h, d[i], channel, b, t0, h.first + i);
      }
      writeFactors(m, d[0].length, first, dB + t0 * N, dC + t0 * N);
      h.decay(m.adjoint, N, d);
      product(N, h.width, d[0].length, Factor{m.C, 1, m.wideN}, m.arriving, h.stride, m.adjoint, h.stride, true);
    }
    if (dS) h.storeStates(s, dS, b, m.adjoint);
    for (long i = 0; i < h.count; i++) {
      dA[i] = static_cast<float>(sumA[i]);
      dD[i] = static_cast<float>(sumD[i]);
    }
  }

  // The chunk's operands, of all heads.
  void loadChunk(const Buffers& m, const HeadBlock& h, const ChunkDecays* d, long b, long c, long g) const {
    const long t0 = c * CHUNK, length = d[0].length;
    const float* dyAt = dy + s.yAt(b, t0, h.first);
    const auto one = [](auto...) { return 1.f; };
    h.copy(s, m.x, s.xAt(b, t0, h.first), s.rowX, length, one);
    h.copy(s, m.dy, dyAt, s.rowOfY(), length, one);
    h.copy(s, m.written, s.xAt(b, t0, h.first), s.rowX, length, [&](long i, long j) { return d[i].step[j] * d[i].toEnd[j]; });
    h.copy(s, m.arriving, dyAt, s.rowOfY(), length, [&](long i, long j) { return d[i].fromStart[j]; });
    copyRows(m.B, m.wideN, s.BAt(b, t0, g), s.rowB, length, s.N, one);
    copyRows(m.C, m.wideN, s.CAt(b, t0, g), s.rowB, length, s.N, one);
  }

  // C_i S, w_j R B_j, and what dC and dB have of the states: Σ_h e_i S dy_i and Σ_h Δ_j w_j R x_j.
  void throughStates(const Buffers& m, const HeadBlock& h, const ChunkDecays* d, const float* before) const {
    const long length = d[0].length, N = s.N, columns = toLanes(N);
    product(length, h.width, N, Factor{m.C, m.wideN, 1}, before, h.stride, m.fromS, h.stride, false);
    product(length, h.width, N, Factor{m.B, m.wideN, 1}, m.adjoint, h.stride, m.u, h.stride, false);
    h.scale(m.u, length, [&](long i, long j) { return d[i].toEnd[j]; });
    transposeInto(m.turned, m.wideN, before, h.stride, N, h.width);
    product(length, columns, h.width, Factor{m.arriving, h.stride, 1}, m.turned, m.wideN, m.gradC, m.wideN, false);
    transposeInto(m.turned, m.wideN, m.adjoint, h.stride, N, h.width);
    product(length, columns, h.width, Factor{m.written, h.stride, 1}, m.turned, m.wideN, m.gradB, m.wideN, false);
  }

  // One head's K_ij = l_ij dy_i.x_j and M_ij = l_ij C_i.B_j; K_ij Δ_j is added to (or with `first` set in) sumK.
  void withinChunk(const Buffers& m, const HeadBlock& h, const ChunkDecays& d, long channel, bool first,
                   const float* group) const {
    const vi lanes = laneNumbers();
    transposeInto(m.xTurned, CHUNK, m.x + channel, h.stride, d.length, s.P);
    for (long i = 0; i < d.length; i += TILE_ROWS) {
      const long rows = minimum(TILE_ROWS, d.length - i);
      product(rows, toLanes(i + rows), s.P, Factor{m.dy + i * h.stride + channel, h.stride, 1}, m.xTurned, CHUNK,
              m.K + i * CHUNK, CHUNK, false);
    }
    for (long i = 0; i < d.length; i++)
      for (long j = 0; j < CHUNK; j += LANES) {
        const long at = i * CHUNK + j;
        if (j > i) {
          store(m.K + at, vf{});
          store(m.M + at, vf{});
          if (first) store(m.sumK + at, vf{});
          continue;
        }
        const vf decay = d.between(i, j, lanes), k = decay * load(m.K + at);
        const vf scaled = k * load(d.step + j);
        store(m.K + at, k);
        store(m.M + at, decay * load(group + at));
        store(m.sumK + at, first ? scaled : scaled + load(m.sumK + at));
      }
  }

  // ddelta of the chunk and a head; returns its share of dA. `flow` goes from the state before the chunk to the one after it.
  double decayGradients(const Buffers& m, const HeadBlock& h, const ChunkDecays& d, long channel, float flow, long b,
                        long t0, long head, const float* group) const {
    double toState[CHUNK], toEnd[CHUNK]; // of token j to the chunk's end; and the sum of those before it, times Δ
    double before = 0;
    for (long j = 0; j < d.length; j++) {
      toState[j] = dot(m.x + j * h.stride + channel, m.u + j * h.stride + channel, h.wideP);
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
        const vf here = load(k + j) * load(products + j);
        const vf total =
            load(later + j) + select(lanes < static_cast<int32_t>(t - j), here, vf{});
        store(later + j, total);
        inside += select(lanes < static_cast<int32_t>(t - j), total * load(d.step + j), vf{});
      }
      fromState += dot(m.arriving + t * h.stride + channel, m.fromS + t * h.stride + channel, h.wideP);
      const double logDecay = flow + fromState + toEnd[t] + sumLanes(inside);
      share += logDecay * d.step[t];
      ddelta[(b * s.L + t0 + t) * s.H + head] = static_cast<float>(logDecay * s.A[head] + toState[t] + own[t]);
    }
    for (long j = 0; j < d.length; j++) ddelta[(b * s.L + t0 + j) * s.H + head] += later[j];
    return share;
  }

  // dx of the chunk and a head; returns its share of dD.
  double writeInput(const Buffers& m, const HeadBlock& h, const ChunkDecays& d, long channel, long b, long t0,
                    long head) const {
    product(d.length, h.wideP, Factor{m.M, 1, CHUNK}, m.dy + channel, h.stride, m.u + channel, h.stride, true,
            [](long j) { return j; }, [&](long, long) { return d.length; });
    const vf skip = splat(s.D ? s.D[head] : 0);
    float* out = dx + (s.xAt(b, t0, head) - s.x);
    vf sum = vf{};
    for (long j = 0; j < d.length; j++)
      for (long p = 0; p < s.P; p += LANES) {
        const long at = j * h.stride + channel + p;
        const vf grad = load(m.dy + at);
        sum += grad * load(m.x + at);
        storePart(out + j * s.rowX + p,
                  splat(d.step[j]) * load(m.u + at) + skip * grad, s.P - p);
      }
    return sumLanes(sum);
  }

  void writeFactors(const Buffers& m, long length, bool first, float* dB, float* dC) const {
    const long columns = toLanes(s.N);
    product(length, columns, Factor{m.sumK, CHUNK, 1}, m.B, m.wideN, m.gradC, m.wideN, true, [](long) { return 0L; },
            [](long i, long rows) { return i + rows; });
    product(length, columns, Factor{m.sumK, 1, CHUNK}, m.C, m.wideN, m.gradB, m.wideN, true, [](long j) { return j; },
            [&](long, long) { return length; });
    for (long i = 0; i < length; i++)
      for (long n = 0; n < s.N; n += LANES) {
        const long lanes = s.N - n, at = i * s.N + n;
        const vf c = load(m.gradC + i * m.wideN + n);
        const vf b = load(m.gradB + i * m.wideN + n);
        storePart(dC + at, first ? c : c + loadPart(dC + at, lanes), lanes);
        storePart(dB + at, first ? b : b + loadPart(dB + at, lanes), lanes);
      }
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
                             args.floats(15), dots};
  parallelFor(tasks, [&](long task) {
    const long slice = task % slices, g = task / slices % s.G, b = task / slices / s.G;
    const long from = heads * slice / slices, to = heads * (slice + 1) / slices, step = HeadBlock::most(s);
    for (long i = from; i < to; i += step) {
      const HeadBlock block(s, g * heads + i, minimum(step, to - i));
      const long at = b * s.H + block.first;
      gradient.run(b, block, i == from, sumA + at, sumD + at, sumB + task * rows, sumC + task * rows);
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
        const long at = (b * s.L + t) * s.rowB + g * s.N + n;
        storePart(dB + at, totalB, lanes);
        storePart(dC + at, totalC, lanes);
      }
    }
  });
}

KERNELS_END
