// Elementwise functions of one tensor: name(x, y), y of the length of x.
// Floor: reading and writing 4 bytes each per element (cache or memory bandwidth); exp, sigmoid, silu, softplus and
// tanh are bound by 20-40 arithmetic instructions per vector while the data is in cache.
#include "../core/kernel.h"

KERNELS_BEGIN

template <class F>
void mapUnary(const Arguments& args, F f) {
  const float* x = args.floats(0);
  float* y = args.floats(1);
  parallelRanges(args.lengths[1], 16384, [&](long begin, long end) {
    long i = begin;
    for (; i + LANES <= end; i += LANES) store(y + i, f(load(x + i)));
    if (i < end) storePart(y + i, f(loadPart(x + i, end - i)), end - i);
  });
}

#define UNARY(NAME, EXPRESSION) \
  KERNEL(NAME) {                \
    mapUnary(args, [](vf x) { return EXPRESSION; }); \
  }

UNARY(exp, vexp(x))
UNARY(sigmoid, vsigmoid(x))
UNARY(silu, vsilu(x))
UNARY(softplus, vsoftplus(x))
UNARY(tanh, vtanh(x))
UNARY(log, vlog(x))
UNARY(relu, vmax(vf{}, x))
UNARY(neg, -x)
UNARY(abs, vabs(x))
UNARY(square, x* x)
UNARY(sqrt, vsqrt(x))
UNARY(rsqrt, splat(1.f) / vsqrt(x))
UNARY(reciprocal, splat(1.f) / x)
UNARY(cube, x* x* x)
UNARY(sign, select(x > vf{}, splat(1.f), select(x < vf{}, splat(-1.f), vf{})))

// step(x, y, alpha): 1 where x > 0, alpha elsewhere, NaN stays NaN.
KERNEL(step) {
  const vf alpha = splat(args.number(0));
  mapUnary(args, [=](vf x) { return select(x != x, x, select(x > vf{}, splat(1.f), alpha)); });
}

KERNELS_END
