#include "drivers/kioctx/delayed_work.h"

#include <pthread.h>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/futex.h"

namespace aioscope::kioctx {

void DelayedWork::queue(std::int64_t delay_ns) {
  const std::int64_t due = monotonic_ns() + delay_ns;
  {
    const SpinLockGuard guard(lock_, LockSite::kWorkLock);
    if (cancelled_ || due_ns_ != kIdle) return;
    due_ns_ = due;
    count_shared_rmw();
    changes_.fetch_add(1, std::memory_order_relaxed);
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  }
  futex_wake(&changes_, 1);
}

void DelayedWork::cancel_sync() {
  {
    const SpinLockGuard guard(lock_, LockSite::kWorkLock);
    cancelled_ = true;
    count_shared_rmw();
    changes_.fetch_add(1, std::memory_order_relaxed);
  }
  futex_wake(&changes_, 1);
  if (thread_.joinable()) thread_.join();
}

// Sleeps on the value that `changes_` had under the lock, so that no change is missed.
void DelayedWork::serve() {
  pthread_setname_np(pthread_self(), "kioctx work");
  const ServiceThread counted;
  for (;;) {
    lock_.lock(LockSite::kWorkLock);
    const bool cancelled = cancelled_;
    const std::int64_t due = due_ns_;
    const std::uint32_t seen = changes_.load(std::memory_order_relaxed);
    const bool run = !cancelled && due != kIdle && due <= monotonic_ns();
    if (run) due_ns_ = kIdle;
    lock_.unlock();
    if (cancelled) return;
    if (run) {
      function_(argument_);
    } else {
      futex_wait(&changes_, seen, due);
    }
  }
}

}  // namespace aioscope::kioctx
