// The one header that a kernel file includes. A kernel file is compiled once per instruction set, with
// STATESCOPE_ISA (a namespace name), STATESCOPE_ISA_LEVEL and STATESCOPE_LANES defined by the build.
#pragma once
#include "runtime.h"
#include "simd.h"

namespace statescope {
namespace STATESCOPE_ISA {
namespace {

// body(i) for i in 0 .. count-1, spread over the threads.
template <class Body>
void parallelFor(long count, Body body) {
  runTasks(count, [](void* context, long i) { (*static_cast<Body*>(context))(i); }, &body);
}

// body(begin, end) over 0 .. count-1 cut in ranges of about `grain` items; one range where that suffices.
template <class Body>
void parallelRanges(long count, long grain, Body body) {
  if (grain < 1) grain = 1;
  if (count <= grain) {
    if (count > 0) body(0L, count);
    return;
  }
  const long tasks = (count + grain - 1) / grain;
  parallelFor(tasks, [&](long t) { body(count * t / tasks, count * (t + 1) / tasks); });
}

ALWAYS_INLINE long minimum(long a, long b) { return a < b ? a : b; }
ALWAYS_INLINE long maximum(long a, long b) { return a > b ? a : b; }
ALWAYS_INLINE long ceilDiv(long a, long b) { return (a + b - 1) / b; }

}  // namespace
}  // namespace STATESCOPE_ISA
}  // namespace statescope

// KERNEL(name) { … } defines a kernel that JavaScript calls as addon.kernels.name(…); `args` are its arguments.
// Use it inside namespace statescope::STATESCOPE_ISA (KERNELS_BEGIN … KERNELS_END).
#define KERNEL(NAME)                                                                                  \
  static void kernel_##NAME(const Arguments& args);                                                   \
  static const Registration registration_##NAME(STATESCOPE_ISA_LEVEL, #NAME, kernel_##NAME);          \
  static void kernel_##NAME(const Arguments& args)

#define KERNELS_BEGIN    \
  namespace statescope { \
  namespace STATESCOPE_ISA { \
  namespace {
#define KERNELS_END \
  }                 \
  }                 \
  }
