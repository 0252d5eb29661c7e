// One token of a Mamba-2 mixer for a few rows, from its input to its gated norm or, with W_out, to its output:
//   [z | x | B | C | dt] = W_in u,  [x | B | C] <- SiLU(conv(past, [x | B | C])),  Δ = clamp(softplus(dt + b_dt))
//   S' = exp(-Δ e^A_log) S + Δ x Bᵀ,  g = RMS((S' C + D x) SiLU(z); norm) by groups of channels,  out = W_out g
// mamba2Step(u, W_in, b_in|null, W_conv, b_conv|null, b_dt, A_log, D, norm, W_out|null, b_out|null, past|null, S|null,
//            blockNorm|null, out, past', S', rows, d, E, H, G, N, K, low, high, epsilon, halvesIn, halvesOut, ε)
// u [rows,d]; out [rows,d], or [rows,E] without W_out; past [rows,K-1,E+2GN]; S [rows,E,N]; b_dt, A_log, D [H]; the
// matrices [out,in], floats, bfloat16 or float16 where their flag is 0, 1 or 2. Head h = e / (E/H) reads B and C of group h / (H/G). With blockNorm [d]
// the mixer reads RMS(u; blockNorm), with ε, and u is added to what it gives.
//
// Three passes with all threads: the two products and the states between them. Lanes are states, so that S keeps its
// layout from step to step.
// Floor: one pass over the weights, and S and past read and written once, at memory bandwidth.
#include "../core/kernel.h"
#include "step.inc"

KERNELS_BEGIN

// next = decay S + input B (S may be nullptr); next.C as a vector still to be summed.
ALWAYS_INLINE vf stepRow(const float* S, float* next, float decay, float input, const float* B, const float* C, long N) {
  const vf keep = splat(decay), write = splat(input);
  vf even{}, odd{};
  const auto one = [&](long n, long lanes) {
    vf h = write * loadPart(B + n, lanes);
    if (S) h += keep * loadPart(S + n, lanes);
    storePart(next + n, h, lanes);
    return h * loadPart(C + n, lanes);
  };
  long n = 0;
  for (; n + 2 * LANES <= N; n += 2 * LANES) {
    even += one(n, LANES);
    odd += one(n + LANES, LANES);
  }
  for (; n < N; n += LANES) even += one(n, N - n);
  return even + odd;
}

// Δ and the decay of the heads of one row.
struct HeadSteps {
  const float *bias, *A_log;
  long H;
  float low, high;

  void run(const float* raw, float* delta, float* decay) const {
    for (long h = 0; h < H; h += LANES) {
      const long lanes = H - h;
      const vf step = vmax(splat(low), vmin(splat(high), vsoftplus(loadPart(raw + h, lanes) + loadPart(bias + h, lanes))));
      storePart(delta + h, step, lanes);
      storePart(decay + h, vexp2NonPositive(step * vexp(loadPart(A_log + h, lanes)) * splat(-1.4426950408889634f)), lanes);
    }
  }
};

KERNEL(mamba2Step) {
  enum : long { kRowsOfStates = 64 };
  const long rows = args.integer(0), d = args.integer(1), E = args.integer(2), H = args.integer(3), G = args.integer(4),
             N = args.integer(5), K = args.integer(6), channels = E + 2 * G * N, width = E + channels + H;
  const float epsilon = args.number(9);
  const Projection in{args.buffers[1], args.integer(10), args.floats(2), width, d};
  const Projection out{args.buffers[9], args.integer(11), args.floats(10), d, E};
  const ConvolutionStep conv{args.floats(3), args.floats(4), args.floats(11), args.floats(15), channels, K};
  const Surroundings block{args.floats(0), args.floats(13), rows, d, args.number(12)};
  const HeadSteps heads{args.floats(5), args.floats(6), H, args.number(7), args.number(8)};
  const float *D = args.floats(7), *norm = args.floats(8), *S = args.floats(12);
  float *result = args.floats(14), *next = args.floats(16);
  float* p = workspace(0, rows * width);
  float* delta = workspace(1, 2 * rows * H);
  float* decay = delta + rows * H;
  float* g = out.weight ? workspace(2, rows * E) : result;

  in.run(rows, block.input(workspace(3, rows * d)), d, p, [&](long begin, long end) {
    for (long m = 0; m < rows; m++)
      conv.run(m, p + m * width + E, maximum(begin, E) - E, minimum(end, E + channels) - E);
  });
  for (long m = 0; m < rows; m++) heads.run(p + m * width + E + channels, delta + m * H, decay + m * H);
  parallelRanges(rows * E, kRowsOfStates, [&](long begin, long end) {
    for (long at = begin; at < end;) {
      const long m = at / E, first = at % E, count = minimum(minimum(LANES, E - first), end - at);
      const float *z = p + m * width, *x = z + E, *B = x + E, *C = B + G * N;
      vf sums[LANES];
      alignas(64) float skip[LANES] = {};
      for (long i = 0; i < count; i++) {
        const long e = first + i, h = e / (E / H), group = h / (H / G) * N;
        const float step = delta[m * H + h];
        sums[i] = stepRow(S ? S + (at + i) * N : nullptr, next + (at + i) * N, decay[m * H + h], step * x[e], B + group,
                          C + group, N);
        skip[i] = D[h] * x[e];
      }
      storePart(g + at, (sumEach(sums, count) + load(skip)) * vsilu(loadPart(z + first, count)), count);
      at += count;
    }
  });
  for (long group = 0; group < rows * G; group++)
    normalise(g + group * (E / G), norm + group % G * (E / G), E / G, epsilon, g + group * (E / G));
  if (out.weight) out.run(rows, g, E, result, [&](long begin, long end) { block.finish(result, begin, end); });
}

KERNELS_END
