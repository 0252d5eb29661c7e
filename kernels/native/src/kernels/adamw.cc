// A step of AdamW on a parameter, in float64 and rounded when stored: to the last bit what `AdamW` of lib/training computes in
// JavaScript, but that moments below 2^-126 are 0.
//   g ← clip g,  m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  y = kept θ − step m / (√v scale + ε)
// adamw(θ, g, m, v, y, clip, kept, step, scale, β₁, β₂, ε): m and v in place.
// Floor: 24 bytes of traffic an element; one square root and one quotient of float64.
#include "../core/kernel.h"

KERNELS_BEGIN

enum : long { HALF_LANES = LANES / 2 };
typedef double vd __attribute__((vector_size(HALF_LANES * 8)));
typedef float half __attribute__((vector_size(HALF_LANES * 4)));
typedef float halfMemory __attribute__((vector_size(HALF_LANES * 4), aligned(4), may_alias));

ALWAYS_INLINE half loadHalf(const float* p) { return *reinterpret_cast<const halfMemory*>(p); }
ALWAYS_INLINE vd widened(half x) { return __builtin_convertvector(x, vd); }
ALWAYS_INLINE half narrowed(vd x) { return __builtin_convertvector(x, half); }
ALWAYS_INLINE void storeHalf(float* p, half x) { *reinterpret_cast<halfMemory*>(p) = x; }

// A product that is rounded before it is added to: JavaScript has no fused multiply-add.
ALWAYS_INLINE vd rounded(vd product) {
#if defined(__x86_64__)
  __asm__("" : "+v"(product));
#elif defined(__aarch64__)
  __asm__("" : "+w"(product));
#endif
  return product;
}

ALWAYS_INLINE vd squareRoot(vd x) {
  for (long i = 0; i < HALF_LANES; i++) x[i] = __builtin_sqrt(x[i]);
  return x;
}

struct AdamW {
  double clip, kept, step, scale, beta1, beta2, epsilon;

  // HALF_LANES elements.
  ALWAYS_INLINE void update(const float* value, const float* gradient, float* first, float* second, float* y) const {
    const vd g = widened(narrowed(clip * widened(loadHalf(gradient))));
    const half m = narrowed(rounded(beta1 * widened(loadHalf(first))) + rounded((1 - beta1) * g));
    const half v = narrowed(rounded(beta2 * widened(loadHalf(second))) + rounded((1 - beta2) * g * g));
    storeHalf(first, m);
    storeHalf(second, v);
    const vd size = rounded(squareRoot(widened(v)) * scale) + epsilon;
    storeHalf(y, narrowed(rounded(kept * widened(loadHalf(value))) - rounded(step * widened(m)) / size));
  }
};

KERNEL(adamw) {
  const AdamW rule{args.numbers[0], args.numbers[1], args.numbers[2], args.numbers[3],
                   args.numbers[4], args.numbers[5], args.numbers[6]};
  const float *value = args.floats(0), *gradient = args.floats(1);
  float *first = args.floats(2), *second = args.floats(3), *y = args.floats(4);
  parallelRanges(static_cast<long>(args.lengths[4]), 8192, [&](long begin, long end) {
    const AdamW own = rule;
    long i = begin;
    for (; i + HALF_LANES <= end; i += HALF_LANES) own.update(value + i, gradient + i, first + i, second + i, y + i);
    if (i == end) return;
    float rest[5][HALF_LANES] = {};
    const float* from[4] = {value, gradient, first, second};
    const auto copy = [&](float* to, const float* source) { __builtin_memcpy(to, source, (end - i) * sizeof(float)); };
    for (int k = 0; k < 4; k++) copy(rest[k], from[k] + i);
    own.update(rest[0], rest[1], rest[2], rest[3], rest[4]);
    copy(first + i, rest[2]);
    copy(second + i, rest[3]);
    copy(y + i, rest[4]);
  });
}

KERNELS_END
