// Lets one thread sleep until another has something for it.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace aioscope {

// One sleeper, any number of wakers.
//
//   sleeper: prepare()            state = asleep        waker: publish its data
//            look for data        (full fence before)          full fence
//            nothing: park()      sleeps while asleep          wake(): state asleep -> awake, futex
//
// The two full fences make one of them see the other: either the sleeper finds the data, or the
// waker finds it asleep. A waker that finds it awake pays one read of a line nobody writes
// meanwhile.
class Parker {
 public:
  void prepare() {
    state_.store(kAsleep, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the fence in wake()
  }
  void cancel() { state_.store(kAwake, std::memory_order_relaxed); }

  // Returns when woken, at the latest after `timeout_ns`, or for no reason.
  void park(std::int64_t timeout_ns) {
    const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    syscall(SYS_futex, &state_, FUTEX_WAIT_PRIVATE, kAsleep, &timeout, nullptr, 0);
    cancel();
  }

  // True when it was asleep, which took a system call.
  bool wake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the fence in prepare()
    if (state_.load(std::memory_order_relaxed) == kAwake) return false;
    if (state_.exchange(kAwake, std::memory_order_relaxed) != kAsleep) return false;
    syscall(SYS_futex, &state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    return true;
  }

 private:
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kAsleep = 1;

  alignas(64) std::atomic<std::uint32_t> state_{kAwake};
};

}  // namespace aioscope
