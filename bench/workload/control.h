// What the runner tells the threads of a repetition, and what they tell it.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>

namespace aioscope {

enum class Phase : int {
  kStarting,   // threads prepare
  kWarmUp,     // load runs
  kMeasured,   // load runs, threads account
  kCounting,   // load runs, system calls are counted
  kDraining,   // nothing new is submitted
  kAbandoned,  // leave at once, whatever is in flight
};

// The phase is a line that everybody reads and the runner writes a few times per repetition.
class Control {
 public:
  Phase phase() const { return phase_.load(std::memory_order_acquire); }  // pairs with enter()
  // Only forward: a failure noted meanwhile is not undone.
  void enter(Phase phase) {
    Phase current = phase_.load(std::memory_order_relaxed);
    while (current < phase &&
           !phase_.compare_exchange_weak(current, phase, std::memory_order_release)) {
      // Released for the readers of phase(): what was prepared before is visible after.
    }
  }

  // The repetition has failed; the first failure is kept. The load ends in order (`then` kDraining)
  // or at once (kAbandoned), when what is in flight cannot be trusted to come back. Thread-safe.
  void fail(std::exception_ptr failure, Phase then) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    enter(then);
  }
  std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  alignas(64) std::atomic<Phase> phase_{Phase::kStarting};
  alignas(64) mutable std::mutex mutex_;
  std::exception_ptr failure_;  // guarded by mutex_
};

}  // namespace aioscope
