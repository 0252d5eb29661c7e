// The thread pool. One for the process, made on first use and never destroyed (the add-on is not unloaded):
// workers spin for a fraction of a millisecond after a task, then sleep.
#include "pool.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <thread>

#include "float_mode.h"
#include "pages.h"
#include "runtime.h"

namespace statescope {
namespace {

constexpr int kSpins = 4000;
constexpr size_t kLargeScratch = size_t{1} << 18;
constexpr long kMaxTasks = (1L << 20) - 1;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

class Pool {
 public:
  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void setThreads(int count) { threads_.store(count < 1 ? 1 : count, std::memory_order_relaxed); }

  void run(long count, void (*task)(void*, long), void* context) {
    std::unique_lock<std::mutex> turn(turn_, std::defer_lock);
    // Another JavaScript thread may hold the pool, or a task may itself call runTasks: then work alone.
    if (count <= 1 || threads() <= 1 || count > kMaxTasks || !turn.try_lock()) {
      for (long i = 0; i < count; i++) task(context, i);
      return;
    }
    addWorkers(threads() - 1);
    task_ = task;
    context_ = context;
    active_.store(threads() - 1, std::memory_order_relaxed);
    pending_.store(count, std::memory_order_relaxed);
    generation_ = (generation_ + 1) & 0xffffff;
    ticket_.store(generation_ << 40 | static_cast<uint64_t>(count) << 20);
    if (sleepers_.load() > 0) {
      { std::lock_guard<std::mutex> lock(sleep_); }
      wake_.notify_all();
    }
    work(generation_);
    for (int spins = 0; pending_.load(std::memory_order_acquire) > 0; spins++) {
      if (spins < kSpins) pause();
      else std::this_thread::yield();
    }
  }

 private:
  // The ticket holds generation (24 bits), number of tasks (20) and next task (20) in one word, so that a worker
  // that comes late can neither take a task of a finished run nor mistake one run for another.
  void work(uint64_t generation) {
    uint64_t ticket = ticket_.load(std::memory_order_acquire);
    for (;;) {
      const uint64_t next = ticket & 0xfffff, count = ticket >> 20 & 0xfffff;
      if (ticket >> 40 != generation || next >= count) return;
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
      task_(context_, static_cast<long>(next));
      pending_.fetch_sub(1, std::memory_order_acq_rel);
      ticket = ticket_.load(std::memory_order_acquire);
    }
  }

  void loop(int index) {
    FlushDenormals mode;
    uint64_t seen = ticket_.load() >> 40;
    seen = (seen - 1) & 0xffffff;
    for (;;) {
      int spins = 0;
      uint64_t generation;
      while ((generation = ticket_.load(std::memory_order_acquire) >> 40) == seen) {
        if (++spins < kSpins) {
          pause();
          continue;
        }
        std::unique_lock<std::mutex> lock(sleep_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, [&] { return ticket_.load() >> 40 != seen; });
        sleepers_.fetch_sub(1);
      }
      seen = generation;
      if (index < active_.load(std::memory_order_relaxed)) work(generation);
    }
  }

  void addWorkers(int count) {
    for (; workers_ < count; workers_++) std::thread([this, index = workers_] { loop(index); }).detach();
  }

  std::mutex turn_, sleep_;
  std::condition_variable wake_;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<long> pending_{0};
  std::atomic<int> sleepers_{0}, active_{0}, threads_{1};
  uint64_t generation_ = 0;
  int workers_ = 0;
  void (*task_)(void*, long) = nullptr;
  void* context_ = nullptr;
};

Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

struct Workspaces {
  float* memory[kWorkspaceSlots] = {};
  size_t capacity[kWorkspaceSlots] = {};
  ~Workspaces() {
    for (float* block : memory) std::free(block);
  }
};

}  // namespace

int threadCount() { return pool().threads(); }
void setThreadCount(int count) { pool().setThreads(count); }

void runTasks(long count, void (*task)(void*, long), void* context) { pool().run(count, task, context); }

float* workspace(int slot, size_t floats) {
  thread_local Workspaces mine;
  if (mine.capacity[slot] < floats || !mine.memory[slot]) {
    // Much of it in pages of 2 MB: hundreds of small ones do not fit the processor's table of pages.
    const size_t grain = floats * sizeof(float) < kLargeScratch ? size_t{1} << 16 : size_t{1} << 21;
    const size_t bytes = (floats * sizeof(float) + 2 * grain - 1) / grain * grain;
    std::free(mine.memory[slot]);
    mine.memory[slot] = static_cast<float*>(std::aligned_alloc(grain, bytes));
    if (!mine.memory[slot]) throw std::bad_alloc();
    if (bytes >= kLargeScratch) preferLargePages(mine.memory[slot], bytes);
    mine.capacity[slot] = bytes / sizeof(float);
  }
  return mine.memory[slot];
}

}  // namespace statescope
