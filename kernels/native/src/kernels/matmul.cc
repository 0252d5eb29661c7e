// Matrix product C = act(A B + bias) of float32 matrices with any row and column strides, batched.
// matmul(A, B, C, bias|null, M, N, K, rowA, columnA, rowB, columnB, activation, batch, batchA, batchB, form)
// form: 0 for B as floats; 1 for B as panels from packWeights; 2 for B as bfloat16 of [N, K] (rowB = 1), 3 for float16. All but
// the first are for one matrix under the whole batch.
// Floor: 2·M·N·K floating-point operations at the FMA rate of the machine (fmaPeak in fma_peak.cc measures it);
// for a few rows, one pass over B at memory bandwidth.
#include "../core/kernel.h"
#include "matmul.inc"

KERNELS_BEGIN

KERNEL(matmul) {
  Product p{};
  p.M = args.integer(0);
  p.N = args.integer(1);
  p.K = args.integer(2);
  p.rowA = args.integer(3);
  p.columnA = args.integer(4);
  p.rowB = args.integer(5);
  p.columnB = args.integer(6);
  p.activation = static_cast<Activation>(args.integer(7));
  p.bias = args.floats(3);
  const long batch = args.integer(8), batchA = args.integer(9), batchB = args.integer(10), form = args.integer(11);
  if (form == 1) p.panels = args.floats(1);
  if (form >= 2) {
    p.halves = args.buffers[1];
    p.half = form == 3 ? kFloat16 : kBFloat16;
  }
  const auto one = [&](long i) {
    Product q = p;
    q.A = args.floats(0) + i * batchA;
    if (form == 0) q.B = args.floats(1) + i * batchB;
    q.C = args.floats(2) + i * p.M * p.N;
    multiply(q);
  };
  // Small products run one per thread; a product that keeps all threads busy by itself runs after the other.
  constexpr double kLargeOperations = 4e6;
  if (batch > 1 && double(p.M) * p.N * p.K < kLargeOperations) parallelFor(batch, one);
  else
    for (long i = 0; i < batch; i++) one(i);
}

KERNELS_END
