// The lock of the kernel's size (4 bytes) that a userspace thread can afford.
//
// Userspace cannot disable preemption, so a holder may be off its CPU for a whole scheduling
// quantum. A waiter therefore spins for a bounded time and then parks, as a paravirtual kernel lock
// does.
//
// Invariant: while a thread sleeps here, `parked_` is set, or a thread that cleared it is about to
// wake one sleeper, or a woken sleeper is on its way to set it again. Hence nobody sleeps on a free
// lock:
//   parker: parked_ = 1; rare half barrier; try; sleep while {locked, parked} is {1, 1}
//   holder: locked_ = 0; common half barrier; parked_ set? then parked_ = 0, wake one
// Either the holder sees the flag or the parker sees the lock free. A flag cleared between the
// parker's try and its sleep changes the word, and the sleep is refused. One that was woken sets
// the flag again before it tries, since others may sleep still; so one wake in a row is for
// nothing. The half barriers keep an atomic out of unlock(), as in the kernel, where it is a plain
// store.
//
// unlock() looks at the lock after it has let go of it: who frees the memory of a lock waits for a
// grace period of RCU, and unlock() is called inside a read section or while holding a reference.
#pragma once

#include <atomic>
#include <cstdint>

#include "drivers/kioctx/barrier.h"
#include "drivers/kioctx/counts.h"

namespace aioscope::kioctx {

class SpinLock {
 public:
  void lock(LockSite site) {
    if (!try_lock()) [[unlikely]] {
      lock_contended(site);
    }
    ++lock_count(site).acquisitions;
  }

  void unlock() {
    locked_.store(0, std::memory_order_release);  // pairs with try_lock
    smp_mb_common();                              // pairs with lock_contended
    if (parked_.load(std::memory_order_relaxed) != 0) wake_one();
  }

 private:
  bool try_lock() {
    return locked_.exchange(1, std::memory_order_acquire) == 0;  // pairs with unlock
  }
  bool try_lock_again() {
    count_shared_rmw();
    return try_lock();
  }
  void lock_contended(LockSite site);
  void wake_one();

  std::atomic<std::uint16_t> locked_{0};
  std::atomic<std::uint16_t> parked_{0};
};
static_assert(sizeof(SpinLock) == 4,
              "the futex word is the whole lock; v3.7's layout needs it small");

class SpinLockGuard {
 public:
  SpinLockGuard(SpinLock& lock, LockSite site) : lock_(lock) { lock_.lock(site); }
  SpinLockGuard(const SpinLockGuard&) = delete;
  SpinLockGuard& operator=(const SpinLockGuard&) = delete;
  ~SpinLockGuard() { lock_.unlock(); }

 private:
  SpinLock& lock_;
};

}  // namespace aioscope::kioctx
