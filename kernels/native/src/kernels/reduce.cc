// Reductions of the middle axis of x [outer, length, inner]: name(x, y, outer, length, inner), y [outer, inner].
// Floor: one pass over x at cache or memory bandwidth.
#include "../core/kernel.h"

KERNELS_BEGIN

struct Sum {
  static ALWAYS_INLINE float identity() { return 0.f; }
  static ALWAYS_INLINE vf join(vf a, vf b) { return a + b; }
  static ALWAYS_INLINE float lanes(vf v) { return sumLanes(v); }
};
struct Max {
  static ALWAYS_INLINE float identity() { return -__builtin_inff(); }
  static ALWAYS_INLINE vf join(vf a, vf b) { return vmaxNan(a, b); }
  static ALWAYS_INLINE float lanes(vf v) { return maxLanes(v); }
};
struct Min {
  static ALWAYS_INLINE float identity() { return __builtin_inff(); }
  static ALWAYS_INLINE vf join(vf a, vf b) { return vminNan(a, b); }
  static ALWAYS_INLINE float lanes(vf v) { return -maxLanes(-v); }
};

enum : long { kGrain = 16384, kRowsPerBlock = 64 };

template <class Op>
ALWAYS_INLINE vf joinTail(vf value, const float* x, long n) {
  alignas(64) float tail[LANES];
  store(tail, splat(Op::identity()));
  for (long i = 0; i < n; i++) tail[i] = x[i];
  return Op::join(value, load(tail));
}

template <class Op>
float reduceRun(const float* x, long n) {
  vf part[4];
  for (int q = 0; q < 4; q++) part[q] = splat(Op::identity());
  long i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int q = 0; q < 4; q++) part[q] = Op::join(part[q], load(x + i + q * LANES));
  for (; i + LANES <= n; i += LANES) part[0] = Op::join(part[0], load(x + i));
  if (i < n) part[1] = joinTail<Op>(part[1], x + i, n - i);
  return Op::lanes(Op::join(Op::join(part[0], part[1]), Op::join(part[2], part[3])));
}

// inner = 1. Long rows are cut into runs, which also keeps the error of a sum that of the run length.
template <class Op>
void reduceRows(const float* x, float* y, long outer, long length) {
  const long runs = maximum(1, ceilDiv(length, kGrain)), run = ceilDiv(length, runs);
  float* parts = runs > 1 ? workspace(0, outer * runs) : y;
  parallelRanges(outer * runs, kGrain / maximum(run, 1), [&](long begin, long end) {
    for (long i = begin; i < end; i++) {
      const long row = i / runs, start = i % runs * run;
      parts[i] = reduceRun<Op>(x + row * length + start, maximum(0, minimum(run, length - start)));
    }
  });
  if (runs > 1)
    for (long row = 0; row < outer; row++) y[row] = reduceRun<Op>(parts + row * runs, runs);
}

// Rows [r0, r1) of one outer index, columns [c0, c1): joined in blocks of rows, so a sum's error stays that of a block.
template <class Op>
void reduceColumns(const float* x, float* y, long inner, long r0, long r1, long c0, long c1) {
  for (long c = c0; c < c1; c += LANES) {
    const long n = c1 - c;
    vf total = splat(Op::identity());
    for (long block = r0; block < r1; block += kRowsPerBlock) {
      const long stop = minimum(r1, block + kRowsPerBlock);
      vf even = splat(Op::identity()), odd = even;
      long r = block;
      for (; r + 2 <= stop; r += 2) {
        even = Op::join(even, loadPart(x + r * inner + c, n));
        odd = Op::join(odd, loadPart(x + (r + 1) * inner + c, n));
      }
      if (r < stop) even = Op::join(even, loadPart(x + r * inner + c, n));
      total = Op::join(total, Op::join(even, odd));
    }
    storePart(y + c, total, n);
  }
}

template <class Op>
void reduceMiddle(const float* x, float* y, long outer, long length, long inner) {
  const long slab = 16 * LANES, slabs = ceilDiv(inner, slab);
  const long cuts = outer * slabs >= 2 * threadCount() ? 1 : maximum(1, minimum(4 * threadCount(), length / 256));
  float* parts = cuts > 1 ? workspace(0, cuts * outer * inner) : y;
  parallelRanges(outer * slabs * cuts, maximum(1, kGrain / maximum(1, length * slab / cuts)), [&](long begin, long end) {
    for (long i = begin; i < end; i++) {
      const long cut = i / (outer * slabs), o = i / slabs % outer, c = i % slabs * slab;
      reduceColumns<Op>(x + o * length * inner, parts + (cut * outer + o) * inner, inner, length * cut / cuts,
                        length * (cut + 1) / cuts, c, minimum(inner, c + slab));
    }
  });
  if (cuts > 1) reduceColumns<Op>(parts, y, outer * inner, 0, cuts, 0, outer * inner);
}

template <class Op>
void reduce(const Arguments& args) {
  const long outer = args.integer(0), length = args.integer(1), inner = args.integer(2);
  if (inner == 1) reduceRows<Op>(args.floats(0), args.floats(1), outer, length);
  else reduceMiddle<Op>(args.floats(0), args.floats(1), outer, length, inner);
}

KERNEL(sum) { reduce<Sum>(args); }
KERNEL(max) { reduce<Max>(args); }
KERNEL(min) { reduce<Min>(args); }

KERNELS_END
