// RMS normalisation of rows in groups of channels, with a fused gate: u = x or x SiLU(gate), w = E/groups,
//   r = (mean_w u² + ε)^-1/2,  y = u r weight
// rmsNorm(x, weight, gate|null, y, rows, E, groups, epsilon, gateRow)
// rmsNormGrad(x, weight, gate|null, dy, dx, dweight, dgate|null, rows, E, groups, epsilon, gateRow)
// x, gate, y [rows,E]; weight [E]. Rows of gate and dgate are gateRow apart, so that they may be columns of something wider.
//
// Floor: 8 bytes of traffic per element (12 with a gate), 16 backward (24); rows stay in cache between the passes.
#include "../core/kernel.h"
#include "partial_sums.inc"

KERNELS_BEGIN

// Rows that one partial sum of dweight covers: fixed, so that the result does not depend on the number of threads.
enum : long { NORM_ROWS = 32 };

struct Norm {
  const float *x, *weight, *gate;
  long rows, E, width, gateRow;
  float epsilon;

  explicit Norm(const Arguments& args)
      : x(args.floats(0)), weight(args.floats(1)), gate(args.floats(2)), rows(args.integer(0)), E(args.integer(1)),
        width(args.integer(1) / args.integer(2)), gateRow(args.integer(4)), epsilon(args.number(3)) {}

  // Of a row and channel.
  ALWAYS_INLINE vf gated(long row, long channel, long lanes) const {
    const vf value = loadPart(x + row * E + channel, lanes);
    return gate ? value * vsilu(loadPart(gate + row * gateRow + channel, lanes)) : value;
  }
  ALWAYS_INLINE float inverseRms(float squares) const {
    return 1.f / __builtin_sqrtf(squares / static_cast<float>(width) + epsilon);
  }
};

KERNEL(rmsNorm) {
  const Norm norm(args);
  float* y = args.floats(3);
  const long groups = norm.E / norm.width;
  parallelRanges(norm.rows * groups, 16384 / norm.width, [&](long begin, long end) {
    for (long group = begin; group < end; group++) {
      const long start = group * norm.width, row = group / groups, channel = group % groups * norm.width;
      vf squares = vf{};
      for (long i = 0; i < norm.width; i += LANES) {
        const vf u = norm.gated(row, channel + i, norm.width - i);
        squares += u * u;
        if (norm.gate) storePart(y + start + i, u, norm.width - i);
      }
      const vf r = splat(norm.inverseRms(sumLanes(squares)));
      const float* u = norm.gate ? y : norm.x;
      for (long i = 0; i < norm.width; i += LANES) {
        const long lanes = norm.width - i;
        storePart(y + start + i, loadPart(u + start + i, lanes) * r * loadPart(norm.weight + channel + i, lanes), lanes);
      }
    }
  });
}

KERNEL(rmsNormGrad) {
  const Norm norm(args);
  const float* dy = args.floats(3);
  float *dx = args.floats(4), *dweight = args.floats(5), *dgate = args.floats(6);
  const long E = norm.E, width = norm.width, parts = ceilDiv(norm.rows, NORM_ROWS);
  float* sums = workspace(0, parts * E);
  parallelFor(parts, [&](long part) {
    float* sum = sums + part * E;
    float* u = workspace(1, width + LANES);
    __builtin_memset(sum, 0, E * sizeof(float));
    for (long row = part * NORM_ROWS; row < minimum(norm.rows, (part + 1) * NORM_ROWS); row++)
      for (long channel = 0; channel < E; channel += width) {
        const long start = row * E + channel;
        vf squares = vf{}, product = vf{};
        for (long i = 0; i < width; i += LANES) {
          const long lanes = width - i;
          const vf value = norm.gated(row, channel + i, lanes);
          store(u + i, value);
          squares += value * value;
          product += value * loadPart(norm.weight + channel + i, lanes) * loadPart(dy + start + i, lanes);
        }
        const float inverse = norm.inverseRms(sumLanes(squares));
        const vf r = splat(inverse);
        const vf shrink = splat(inverse * inverse * sumLanes(product) / static_cast<float>(width));
        for (long i = 0; i < width; i += LANES) {
          const long lanes = width - i, at = start + i;
          const vf out = loadPart(dy + at, lanes), value = load(u + i);
          const vf du = r * (loadPart(norm.weight + channel + i, lanes) * out - value * shrink);
          storePart(sum + channel + i, loadPart(sum + channel + i, lanes) + out * value * r, lanes);
          if (!norm.gate) {
            storePart(dx + at, du, lanes);
            continue;
          }
          const long gateAt = row * norm.gateRow + channel + i;
          const vf gate = loadPart(norm.gate + gateAt, lanes), open = vsigmoid(gate);
          storePart(dx + at, du * gate * open, lanes);
          storePart(dgate + gateAt, du * loadPart(norm.x + at, lanes) * open * (splat(1.f) + gate * (splat(1.f) - open)),
                    lanes);
        }
      }
  });
  sumParts(dweight, sums, parts, E, E);
}

KERNELS_END
