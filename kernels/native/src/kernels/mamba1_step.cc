// One token of a Mamba-1 mixer for a few rows, from its input to its output:
//   [x0 | z] = W_in u,  x = SiLU(conv(past, x0)),  [δ | B | C] = W_x x,  Δ = softplus(W_dt δ)
//   S' = exp(-Δ e^A_log) S + Δ B x,  out = W_out ((C.S' + D x) SiLU(z))
// mamba1Step(u, W_in, b_in|null, W_conv, b_conv|null, W_x, b_x|null, W_dt, b_dt|null, A_log, D, W_out, b_out|null,
//            past|null, S|null, norm|null, out, past', S', rows, d, E, N, R, K, halvesIn, halvesX, halvesDt, halvesOut, ε)
// u, out [rows,d]; past [rows,K-1,E]; S [rows,E,N]; the matrices [out,in], floats, bfloat16 or float16 where their flag is 0, 1 or 2. With norm [d]
// the mixer reads RMS(u; norm) and u is added to what it gives.
//
// Four passes with all threads: the two large products, the small one between them, and everything that is one channel's
// own. Lanes of the scan are states, so that S keeps its layout from step to step.
// Floor: one pass over the weights, and S and past read and written once, at memory bandwidth.
#include "../core/kernel.h"
#include "step.inc"

KERNELS_BEGIN

struct StateStep {
  const float *A_log, *D, *S;
  float* next;
  long N;

  // C.S' of channel e of row m (`at` = m E + e) as a vector still to be summed; S' is stored.
  ALWAYS_INLINE vf channel(long e, long at, float delta, float x, const float* B, const float* C) const {
    const vf rate = splat(delta * -1.4426950408889634f), input = splat(delta * x);
    vf sum{};
    for (long n = 0; n < N; n += LANES) {
      const long lanes = N - n;
      vf h = input * loadPart(B + n, lanes);
      if (S) h += vexp2NonPositive(rate * vexp(loadPart(A_log + e * N + n, lanes))) * loadPart(S + at * N + n, lanes);
      storePart(next + at * N + n, h, lanes);
      sum += h * loadPart(C + n, lanes);
    }
    return sum;
  }
};

KERNEL(mamba1Step) {
  const long rows = args.integer(0), d = args.integer(1), E = args.integer(2), N = args.integer(3), R = args.integer(4),
             K = args.integer(5), width = R + 2 * N;
  const auto projection = [&](int weight, long outputs, long inputs, int flag) {
    return Projection{args.buffers[weight], args.integer(flag), args.floats(weight + 1), outputs, inputs};
  };
  const Projection in = projection(1, 2 * E, d, 6), low = projection(5, width, E, 7), time = projection(7, E, R, 8),
                   out = projection(11, d, E, 9);
  const ConvolutionStep conv{args.floats(3), args.floats(4), args.floats(13), args.floats(17), E, K};
  const StateStep scan{args.floats(9), args.floats(10), args.floats(14), args.floats(18), N};
  const Surroundings block{args.floats(0), args.floats(15), rows, d, args.number(10)};
  float* xz = workspace(0, rows * 2 * E);
  float* dBC = workspace(1, rows * width);
  float* y = workspace(2, rows * E);

  in.run(rows, block.input(workspace(3, rows * d)), d, xz, [&](long begin, long end) {
    for (long m = 0; m < rows; m++) conv.run(m, xz + m * 2 * E, begin, minimum(end, E));
  });
  low.run(rows, xz, 2 * E, dBC, [](long, long) {});
  time.run(rows, dBC, width, y, [&](long begin, long end) {
    for (long m = 0; m < rows; m++) {
      const float *x = xz + m * 2 * E, *z = x + E, *B = dBC + m * width + R, *C = B + N;
      for (long e = begin; e < end; e += LANES) {
        const long lanes = minimum(LANES, end - e);
        alignas(64) float delta[LANES];
        store(delta, vsoftplus(loadPart(y + m * E + e, lanes)));
        vf sums[LANES];
        for (long i = 0; i < lanes; i++) sums[i] = scan.channel(e + i, m * E + e + i, delta[i], x[e + i], B, C);
        const vf value = sumEach(sums, lanes) + loadPart(scan.D + e, lanes) * loadPart(x + e, lanes);
        storePart(y + m * E + e, value * vsilu(loadPart(z + e, lanes)), lanes);
      }
    }
  });
  out.run(rows, y, E, args.floats(16), [&](long begin, long end) { block.finish(args.floats(16), begin, end); });
}

KERNELS_END
