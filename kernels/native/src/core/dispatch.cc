// Registration of kernels at load time, and the choice of instruction set at run time.
#include "dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace statescope {
namespace {

std::map<std::string, Kernel>& table() {
  static auto* instance = new std::map<std::string, Kernel>;
  return *instance;
}

Isa selected = kGeneric;

// __builtin_cpu_supports knows f16c from GCC 11 on only.
bool hasF16c() {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
#else
  return false;
#endif
}

bool supports(Isa isa) {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && hasF16c();
  if (isa == kAvx2) return avx2;
  if (isa == kAvx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == kGeneric;
}

}  // namespace

void registerKernel(int isa, const char* name, KernelFunction function) { table()[name].byIsa[isa] = function; }

const std::map<std::string, Kernel>& kernels() { return table(); }

const char* isaName(Isa isa) {
  static const char* const names[kIsaCount] = {"generic", "avx2", "avx512"};
  return names[isa];
}

Isa bestIsa() { return supports(kAvx512) ? kAvx512 : supports(kAvx2) ? kAvx2 : kGeneric; }

bool selectIsa(const std::string& name) {
  for (int isa = 0; isa < kIsaCount; isa++)
    if (name == isaName(static_cast<Isa>(isa)) && supports(static_cast<Isa>(isa))) {
      selected = static_cast<Isa>(isa);
      return true;
    }
  return false;
}

Isa selectedIsa() { return selected; }

}  // namespace statescope
