// What kernels may use of the runtime: threads, scratch memory, arguments, registration.
// Included by files that are compiled once per instruction set: only plain declarations and always-inlined
// functions here, and no header of the standard library (an inline function compiled for AVX-512 could be the
// copy that the linker keeps for everybody).
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

namespace statescope {

enum { kMaxBuffers = 32, kMaxNumbers = 40 };

// One call from JavaScript: typed arrays (or null) in order, and numbers in order.
struct Arguments {
  void* buffers[kMaxBuffers];
  size_t lengths[kMaxBuffers];
  double numbers[kMaxNumbers];
  int bufferCount;
  int numberCount;

  // The i-th typed array, or nullptr where JavaScript passed null.
  ALWAYS_INLINE float* floats(int i) const { return static_cast<float*>(buffers[i]); }
  ALWAYS_INLINE int32_t* ints(int i) const { return static_cast<int32_t*>(buffers[i]); }
  ALWAYS_INLINE uint8_t* bytes(int i) const { return static_cast<uint8_t*>(buffers[i]); }
  ALWAYS_INLINE long integer(int i) const { return static_cast<long>(numbers[i]); }
  ALWAYS_INLINE float number(int i) const { return static_cast<float>(numbers[i]); }
};

typedef void (*KernelFunction)(const Arguments&);

// Threads that will take part in parallelFor, the caller included.
int threadCount();

// Runs task(context, 0 .. count-1) on all threads and returns when every task is done.
void runTasks(long count, void (*task)(void*, long), void* context);

// Scratch memory of the calling thread: 64-byte aligned, uninitialised, kept until the thread ends and grown on
// demand. Slots are independent. The caller of runTasks takes part in its tasks, so a kernel must use different
// slots inside and outside of them.
enum { kWorkspaceSlots = 12 };
float* workspace(int slot, size_t floats);

// Called by the KERNEL macro while the add-on loads.
void registerKernel(int isa, const char* name, KernelFunction function);

struct Registration {
  ALWAYS_INLINE Registration(int isa, const char* name, KernelFunction function) { registerKernel(isa, name, function); }
};

}  // namespace statescope
