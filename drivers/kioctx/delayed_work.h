#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "drivers/kioctx/spin_lock.h"

namespace aioscope::kioctx {

// A function that is called once, later, on a thread of its own: the kernel's delayed_work. The
// thread starts with the first queue(), so that a context that never needs it has none.
class DelayedWork {
 public:
  using Function = void (*)(void*);

  DelayedWork() = default;
  ~DelayedWork() { cancel_sync(); }
  DelayedWork(const DelayedWork&) = delete;
  DelayedWork& operator=(const DelayedWork&) = delete;

  // What to call. Before the first queue().
  void init(Function function, void* argument) {
    function_ = function;
    argument_ = argument;
  }

  // Calls the function `delay_ns` from now, unless it is queued already. Thread-safe. Returns false
  // when no thread can be started: then it is not queued.
  bool queue(std::int64_t delay_ns);

  // Waits for a running call and forbids further ones. Not from the function itself.
  void cancel_sync();

 private:
  void serve();

  static constexpr std::int64_t kIdle = INT64_MAX;  // as a due time; sleeping until then is forever

  Function function_ = nullptr;
  void* argument_ = nullptr;
  SpinLock lock_;
  std::int64_t due_ns_ = kIdle;            // guarded by lock_
  bool cancelled_ = false;                 // guarded by lock_
  std::thread thread_;                     // guarded by lock_ until cancelled_
  std::atomic<std::uint32_t> changes_{0};  // written under lock_; the thread's futex
};

}  // namespace aioscope::kioctx
