#include "drivers/kioctx/wait_queue.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>

#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

void WaitQueueHead::add_wait_queue(WaitQueueEntry& entry) {
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  entry.exclusive = false;
  entry.insert_after(&queue_);
  entry.linked.store(true, std::memory_order_relaxed);
}

void WaitQueueHead::add_wait_queue_exclusive(WaitQueueEntry& entry) {
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  entry.exclusive = true;
  entry.insert_before(&queue_);
  entry.linked.store(true, std::memory_order_relaxed);
}

void WaitQueueHead::remove_wait_queue(WaitQueueEntry& entry) {
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  unlink(entry);
}

void WaitQueueHead::prepare_to_wait(WaitQueueEntry& entry, std::uint32_t min_nr) {
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  queue_to_wait(entry, min_nr);
  smp_mb();  // pairs with the waker's
}

void WaitQueueHead::queue_to_wait(WaitQueueEntry& entry, std::uint32_t min_nr) {
  entry.min_nr = min_nr;
  if (!entry.linked.load(std::memory_order_relaxed)) {
    entry.insert_after(&queue_);
    entry.linked.store(true, std::memory_order_relaxed);
  }
  entry.state.store(TaskState::kInterruptible, std::memory_order_relaxed);
}

void WaitQueueHead::finish_wait(WaitQueueEntry& entry) {
  entry.state.store(TaskState::kRunning, std::memory_order_relaxed);
  // Acquire: pairs with unlink(), after which no waker touches the entry.
  if (!entry.linked.load(std::memory_order_acquire)) return;
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  if (entry.linked.load(std::memory_order_relaxed)) unlink(entry);
}

void WaitQueueHead::unlink(WaitQueueEntry& entry) {
  entry.remove();
  entry.linked.store(false, std::memory_order_release);  // pairs with finish_wait
}

// Their states' addresses: all that may be used of an entry when the lock is free again. Calling a
// sleeper then is better than before, since the lock is the first thing he wants.
class WaitQueueHead::Sleepers {
 public:
  Sleepers() = default;
  Sleepers(const Sleepers&) = delete;
  Sleepers& operator=(const Sleepers&) = delete;
  ~Sleepers() {
    for (std::size_t i = 0; i < count_; ++i) futex_wake(asleep_[i], 1);
  }
  void add(const void* state) {
    if (count_ < asleep_.size()) {
      asleep_[count_++] = state;
    } else {
      futex_wake(state, 1);
    }
  }

 private:
  std::array<const void*, 16> asleep_{};
  std::size_t count_ = 0;
};

void WaitQueueHead::collect(int exclusive_entries, std::uint32_t available, Sleepers& sleepers) {
  ListNode* next = nullptr;
  for (ListNode* node = queue_.get_next(); node != &queue_; node = next) {
    next = node->get_next();
    auto& entry = static_cast<WaitQueueEntry&>(*node);
    if (entry.min_nr > available) continue;
    const bool exclusive = entry.exclusive;
    count_shared_rmw();
    // Release: what was made true; pairs with schedule_until().
    const TaskState was = entry.state.exchange(TaskState::kRunning, std::memory_order_release);
    if (was == TaskState::kRunning) continue;  // woken by another, or not yet asleep: it looks
    const void* word = &entry.state;
    if (entry.autoremove) unlink(entry);
    if (was == TaskState::kSleeping) {
      sleepers.add(word);
    } else {
      ++counts.wakeups;
    }
    if (exclusive && --exclusive_entries == 0) break;
  }
}

void WaitQueueHead::wake(int exclusive_entries, std::uint32_t available) {
  Sleepers sleepers;
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  collect(exclusive_entries, available, sleepers);
}

void MinWaitQueueHead::find_least() {
  std::uint32_t least = kNobody;
  for (ListNode* node = queue_.get_next(); node != &queue_; node = node->get_next()) {
    least = std::min(least, static_cast<WaitQueueEntry&>(*node).min_nr);
  }
  least_min_nr_.store(least, std::memory_order_relaxed);
}

void MinWaitQueueHead::prepare_to_wait(WaitQueueEntry& entry, std::uint32_t min_nr) {
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  queue_to_wait(entry, min_nr);
  find_least();
  smp_mb();  // pairs with the waker's
}

void MinWaitQueueHead::finish_wait(WaitQueueEntry& entry) {
  entry.state.store(TaskState::kRunning, std::memory_order_relaxed);
  // Acquire: pairs with unlink(). Who took the entry off has found the least without it.
  if (!entry.linked.load(std::memory_order_acquire)) return;
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  if (!entry.linked.load(std::memory_order_relaxed)) return;
  unlink(entry);
  find_least();
}

void MinWaitQueueHead::wake_up_for(std::uint32_t available) {
  Sleepers sleepers;
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  collect(1, available, sleepers);
  find_least();
}

int schedule_until(WaitQueueEntry& entry, std::int64_t until_ns) {
  schedule_point("wait: about to sleep");
  yield_cpu();
  count_shared_rmw();
  TaskState expected = TaskState::kInterruptible;
  // Acquire on failure: what the waker did, pairs with wake().
  if (!entry.state.compare_exchange_strong(expected, TaskState::kSleeping,
                                           std::memory_order_acquire)) {
    return 0;
  }
  int error = futex_wait(&entry.state, std::uint32_t(TaskState::kSleeping), until_ns);
  count_shared_rmw();
  // Acquire: what the waker did, pairs with wake().
  const TaskState left = entry.state.exchange(TaskState::kRunning, std::memory_order_acquire);
  if (left == TaskState::kRunning || error == -EAGAIN) error = 0;
  return error;
}

}  // namespace aioscope::kioctx
