// RMS normalisation of rows in groups of channels, with a fused gate: u = x or x SiLU(gate), w = E/groups,
//   r = (mean_w u² + ε)^-1/2,  y = u r weight
// rmsNorm(x, weight, gate|null, y, rows, E, groups, epsilon, gateRow, L)
// rmsNormGrad(x, weight, gate|null, dy, dx, dweight, dgate|null, rows, E, groups, epsilon, gateRow, L)
// x, gate, y [rows,E]; weight [E]. Rows of gate and dgate are gateRow apart, so that they may be columns of something wider.
// A sequence has L rows.
//
// Floor: 8 bytes of traffic per element (12 with a gate), 16 backward (24); rows stay in cache between the passes.
#include "../core/kernel.h"
#include "rms_norm.inc"

KERNELS_BEGIN

Norm normOf(const Arguments& args) {
  const long E = args.integer(1);
  return {args.floats(0), args.floats(1), args.floats(2), args.integer(0), E, E / args.integer(2), args.integer(4),
          args.number(3), args.integer(5)};
}

KERNEL(rmsNorm) { normOf(args).run(args.floats(3)); }

KERNEL(rmsNormGrad) {
  const Norm norm = normOf(args);
  float* sums = workspace(0, norm.parts() * norm.E);
  norm.gradients(args.floats(3), args.floats(4), args.floats(6), sums);
  sumParts(args.floats(5), sums, norm.parts(), norm.E, norm.E);
}

KERNELS_END
