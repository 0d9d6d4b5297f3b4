#include "drivers/kioctx/wait_queue.h"

#include <array>
#include <cerrno>
#include <cstddef>

#include "drivers/kioctx/futex.h"

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

void WaitQueueHead::prepare_to_wait(WaitQueueEntry& entry) {
  const SpinLockGuard guard(lock_, LockSite::kWaitLock);
  if (!entry.linked.load(std::memory_order_relaxed)) {
    entry.insert_after(&queue_);
    entry.linked.store(true, std::memory_order_relaxed);
  }
  set_current_state(entry, TaskState::kInterruptible);
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

// The sleepers are called when the lock is free again: it is the first thing they want.
void WaitQueueHead::wake(int exclusive_entries) {
  std::array<const void*, 16> asleep;
  std::size_t count = 0;
  {
    const SpinLockGuard guard(lock_, LockSite::kWaitLock);
    ListNode* next = nullptr;
    for (ListNode* node = queue_.get_next(); node != &queue_; node = next) {
      next = node->get_next();
      auto& entry = static_cast<WaitQueueEntry&>(*node);
      const bool exclusive = entry.exclusive;
      // Acquire and release: pairs with set_current_state().
      const TaskState was = entry.state.exchange(TaskState::kRunning, std::memory_order_acq_rel);
      if (was == TaskState::kRunning) continue;  // woken by another, or not yet asleep: it looks
      const void* word = &entry.state;
      if (entry.autoremove) unlink(entry);
      if (was == TaskState::kSleeping) {
        if (count < asleep.size()) {
          asleep[count++] = word;
        } else {
          futex_wake(word, 1);
        }
      }
      if (exclusive && --exclusive_entries == 0) break;
    }
  }
  for (std::size_t i = 0; i < count; ++i) futex_wake(asleep[i], 1);
}

int schedule_until(WaitQueueEntry& entry, std::int64_t until_ns) {
  yield_cpu();
  TaskState expected = TaskState::kInterruptible;
  // Acquire on failure: what the waker did, pairs with wake().
  if (!entry.state.compare_exchange_strong(expected, TaskState::kSleeping,
                                           std::memory_order_acquire)) {
    return 0;
  }
  int error = futex_wait(&entry.state, std::uint32_t(TaskState::kSleeping), until_ns);
  // Acquire: what the waker did, pairs with wake().
  const TaskState left = entry.state.exchange(TaskState::kRunning, std::memory_order_acquire);
  if (left == TaskState::kRunning || error == -EAGAIN) error = 0;
  return error;
}

}  // namespace aioscope::kioctx
