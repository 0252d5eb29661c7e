// The table of kernels, one column per instruction set.
#pragma once
#include <map>
#include <string>

#include "runtime.h"

namespace statescope {

// In rising order of preference; the numbers are the STATESCOPE_ISA_LEVEL of the build.
enum Isa { kGeneric = 0, kAvx2 = 1, kAvx512 = 2, kIsaCount = 3 };

struct Kernel {
  KernelFunction byIsa[kIsaCount] = {};
};

const std::map<std::string, Kernel>& kernels();

const char* isaName(Isa isa);
// The best instruction set that this processor has.
Isa bestIsa();
// Chooses by name ('avx512', 'avx2', 'generic'); false where the name is unknown or the processor lacks it.
bool selectIsa(const std::string& name);
Isa selectedIsa();

}  // namespace statescope
