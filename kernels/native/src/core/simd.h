// Vectors of STATESCOPE_LANES floats by the vector extensions of GCC and clang: 16 lanes with AVX-512, 8 with
// AVX2 and FMA, 4 elsewhere (SSE2, NEON). Intrinsics only where the extensions have no word for an instruction.
#pragma once
#include "runtime.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace statescope {
namespace STATESCOPE_ISA {
namespace {

enum : long { LANES = STATESCOPE_LANES };
typedef float vf __attribute__((vector_size(STATESCOPE_LANES * 4)));
typedef int32_t vi __attribute__((vector_size(STATESCOPE_LANES * 4)));
typedef float vfMemory __attribute__((vector_size(STATESCOPE_LANES * 4), aligned(4), may_alias));

// ---- memory

ALWAYS_INLINE vf load(const float* p) { return *reinterpret_cast<const vfMemory*>(p); }
ALWAYS_INLINE void store(float* p, vf v) { *reinterpret_cast<vfMemory*>(p) = v; }
ALWAYS_INLINE vf splat(float x) { return x - vf{}; }

#if STATESCOPE_LANES == 8 && defined(__AVX2__)
ALWAYS_INLINE __m256i tailMask(long n) {
  static const int32_t table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table + 8 - n));
}
#endif

// The first n lanes (0 <= n), zero in the others; touches no memory beyond them. n >= LANES loads all.
ALWAYS_INLINE vf loadPart(const float* p, long n) {
  if (n >= LANES) return load(p);
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif STATESCOPE_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_maskload_ps(p, tailMask(n));
#else
  alignas(64) float t[LANES] = {};
  for (long i = 0; i < n; i++) t[i] = p[i];
  return load(t);
#endif
}

// Stores the first n lanes only.
ALWAYS_INLINE void storePart(float* p, vf v, long n) {
  if (n >= LANES) return store(p, v);
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif STATESCOPE_LANES == 8 && defined(__AVX2__)
  _mm256_maskstore_ps(p, tailMask(n), (__m256)v);
#else
  alignas(64) float t[LANES];
  store(t, v);
  for (long i = 0; i < n; i++) p[i] = t[i];
#endif
}

// ---- comparison and selection

ALWAYS_INLINE vf select(vi mask, vf a, vf b) { return mask ? a : b; }

// Larger and smaller of two. Where either is NaN the result is `b`: put the value that may be NaN second.
ALWAYS_INLINE vf vmax(vf a, vf b) {
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif STATESCOPE_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif STATESCOPE_LANES == 4 && defined(__x86_64__)
  return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}
ALWAYS_INLINE vf vmin(vf a, vf b) {
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif STATESCOPE_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#elif STATESCOPE_LANES == 4 && defined(__x86_64__)
  return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
  return a < b ? a : b;
#endif
}
// Larger and smaller of two, NaN where either is NaN.
ALWAYS_INLINE vf vmaxNan(vf a, vf b) { return select(a != a, a, vmax(a, b)); }
ALWAYS_INLINE vf vminNan(vf a, vf b) { return select(a != a, a, vmin(a, b)); }
ALWAYS_INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }

// ---- horizontal

ALWAYS_INLINE float sumLanes(vf v) {
  float s[LANES];
  store(s, v);
  for (long width = LANES / 2; width > 0; width /= 2)
    for (long i = 0; i < width; i++) s[i] += s[i + width];
  return s[0];
}
// Largest lane; NaN where any lane is NaN.
ALWAYS_INLINE float maxLanes(vf v) {
  float m = v[0];
  for (long i = 1; i < LANES; i++) m = (m != m || m > v[i]) ? m : v[i];
  return m;
}

// ---- functions

ALWAYS_INLINE vf vsqrt(vf v) {
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_sqrt_ps((__m512)v);
#elif STATESCOPE_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_sqrt_ps((__m256)v);
#elif STATESCOPE_LANES == 4 && defined(__x86_64__)
  return (vf)_mm_sqrt_ps((__m128)v);
#elif STATESCOPE_LANES == 4 && defined(__aarch64__)
  return (vf)vsqrtq_f32((float32x4_t)v);
#else
  for (long i = 0; i < LANES; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

// Adding 1.5·2^23 rounds to an integer, which then stands in the low bits.
ALWAYS_INLINE vf roundingShift() { return splat(12582912.f); }

// 2^r for |r| <= 1/2, relative error 1.3e-7: degree 5, minimax.
ALWAYS_INLINE vf exp2Fraction(vf r) {
  vf p = splat(0.0013264727140115495f);
  p = p * r + splat(0.009671512639954577f);
  p = p * r + splat(0.05550733743469983f);
  p = p * r + splat(0.24022242085376783f);
  p = p * r + splat(0.693146977598992f);
  return p * r + splat(1.f);
}

// 2^x for x <= 0 (what a decaying state needs); x < -126 gives 2^-126, NaN stays NaN.
ALWAYS_INLINE vf vexp2NonPositive(vf x) {
  x = vmax(splat(-126.f), x);
  const vf shifted = x + roundingShift();
  const vf whole = shifted - roundingShift();
  return (vf)((vi)exp2Fraction(x - whole) + ((vi)shifted << 23));
}

// 2^x; infinity above 128, 2^-126 below -126, NaN stays NaN.
ALWAYS_INLINE vf vexp2(vf x) { return vexp2NonPositive(vmin(splat(128.f), x)); }

// e^x, relative error 1.5e-7 (Cody-Waite reduction, degree 6); 0 below -87.3365, infinity above 88.7228.
ALWAYS_INLINE vf vexp(vf x) {
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  // Scaling by a power of two gives the zero, the infinity and the NaN by itself.
  const vf bounded = vmax(splat(-89.f), vmin(splat(89.f), x));
#else
  const vf bounded = vmax(splat(-87.33654f), vmin(splat(88.72283f), x));
#endif
  const vf shifted = bounded * splat(1.4426950408889634f) + roundingShift();
  const vf whole = shifted - roundingShift();
  vf r = bounded - whole * splat(0.693359375f);
  r = r + whole * splat(2.12194440e-4f);
  vf p = splat(0.0013843653654050747f);
  p = p * r + splat(0.008374155299697155f);
  p = p * r + splat(0.041668002032636764f);
  p = p * r + splat(0.1666643126282898f);
  p = p * r + splat(0.4999999420906274f);
  p = p * r + splat(1.f);
  p = p * r + splat(1.f);
#if STATESCOPE_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)whole);
#else
  vf e = (vf)((vi)p + ((vi)shifted << 23));
  e = select(x < splat(-87.33654f), vf{}, e);
  e = select(x > splat(88.72283f), splat(__builtin_inff()), e);
  return select(x != x, x, e);
#endif
}

ALWAYS_INLINE vf vsigmoid(vf x) { return splat(1.f) / (splat(1.f) + vexp(-x)); }
ALWAYS_INLINE vf vsilu(vf x) { return x / (splat(1.f) + vexp(-x)); }

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|), the logarithm as 2 atanh(e / (2 + e)).
ALWAYS_INLINE vf vsoftplus(vf x) {
  const vf e = vexp(-vabs(x));
  const vf s = e / (splat(2.f) + e), q = s * s;
  vf p = splat(1 / 13.f);
  p = p * q + splat(1 / 11.f);
  p = p * q + splat(1 / 9.f);
  p = p * q + splat(1 / 7.f);
  p = p * q + splat(1 / 5.f);
  p = p * q + splat(1 / 3.f);
  p = p * q + splat(1.f);
  return vmax(vf{}, x) + (s + s) * p;
}

// tanh: odd polynomial near 0, where 1 - 2/(e^2x + 1) would cancel.
ALWAYS_INLINE vf vtanh(vf x) {
  const vf q = x * x;
  vf p = splat(-5.70498872745e-3f);
  p = p * q + splat(2.06390887954e-2f);
  p = p * q + splat(-5.37397155531e-2f);
  p = p * q + splat(1.33314422036e-1f);
  p = p * q + splat(-3.33332819422e-1f);
  const vf small = p * q * x + x;
  const vf large = splat(1.f) - splat(2.f) / (vexp(x + x) + splat(1.f));
  return select(vabs(x) < splat(0.625f), small, large);
}

// Natural logarithm, relative error 1e-7; -infinity at 0 (and below 2^-126), NaN below 0.
ALWAYS_INLINE vf vlog(vf x) {
  const vi bits = (vi)x;
  vi exponent = ((bits >> 23) & 0xff) - 126;
  vf m = (vf)((bits & 0x007fffff) | 0x3f000000);
  const vi low = m < splat(0.707106781186547524f);
  exponent += low;
  m = select(low, m + m, m) - splat(1.f);
  const vf q = m * m;
  vf p = splat(7.0376836292e-2f);
  p = p * m + splat(-1.1514610310e-1f);
  p = p * m + splat(1.1676998740e-1f);
  p = p * m + splat(-1.2420140846e-1f);
  p = p * m + splat(1.4249322787e-1f);
  p = p * m + splat(-1.6668057665e-1f);
  p = p * m + splat(2.0000714765e-1f);
  p = p * m + splat(-2.4999993993e-1f);
  p = p * m + splat(3.3333331174e-1f);
  const vf n = __builtin_convertvector(exponent, vf);
  vf y = p * m * q;
  y = y + n * splat(-2.12194440e-4f) - splat(0.5f) * q;
  y = m + y + n * splat(0.693359375f);
  y = select(x < splat(1.17549435e-38f), splat(-__builtin_inff()), y);
  y = select(x < vf{}, splat(__builtin_nanf("")), y);
  return select((x != x) | (x == splat(__builtin_inff())), x, y);
}

// ---- transposition

#if defined(__clang__)
#define STATESCOPE_HAS_SHUFFLEVECTOR 1
#endif

template <int STRIDE>
ALWAYS_INLINE void transposeStage(vf* rows) {
  vi low{}, high{};
  for (int lane = 0; lane < LANES; lane++) {
    low[lane] = (lane & STRIDE) ? lane - STRIDE + LANES : lane;
    high[lane] = (lane & STRIDE) ? lane + LANES : lane + STRIDE;
  }
  for (int i = 0; i < LANES; i++) {
    if (i & STRIDE) continue;
    const vf a = rows[i], b = rows[i + STRIDE];
#if defined(STATESCOPE_HAS_SHUFFLEVECTOR)
    vf lower{}, upper{};
    for (int lane = 0; lane < LANES; lane++) {
      lower[lane] = (lane & STRIDE) ? b[lane - STRIDE] : a[lane];
      upper[lane] = (lane & STRIDE) ? b[lane] : a[lane + STRIDE];
    }
    rows[i] = lower;
    rows[i + STRIDE] = upper;
#else
    rows[i] = __builtin_shuffle(a, b, low);
    rows[i + STRIDE] = __builtin_shuffle(a, b, high);
#endif
  }
}

// Transposes a LANES x LANES block held in LANES vectors.
ALWAYS_INLINE void transposeBlock(vf* rows) {
  transposeStage<1>(rows);
  transposeStage<2>(rows);
#if STATESCOPE_LANES >= 8
  transposeStage<4>(rows);
#endif
#if STATESCOPE_LANES >= 16
  transposeStage<8>(rows);
#endif
}

}  // namespace
}  // namespace STATESCOPE_ISA
}  // namespace statescope
