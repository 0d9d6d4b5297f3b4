// The kernel's wait queue: threads that sleep until somebody else makes a condition true.
//
// A sleeper and a waker never miss each other:
//   sleeper: enters the queue; state = INTERRUPTIBLE; full barrier; tests the condition; sleeps
//   waker:   makes the condition true; full barrier; queue empty? -> nothing to do; else wakes
// Either the waker sees the sleeper in the queue, or the sleeper sees the condition true. A sleeper
// that was in the queue already (it stays there between its sleeps) changes its state by an
// exchange, and so does the waker: if the waker's came first, the sleeper's reads from it and then
// sees the condition.
//
// A waker touches an entry, which lives on its sleeper's stack, only under the queue's lock and
// while it is linked; only the address of its state is used after that, by futex_wake(), which does
// not read it.
#pragma once

#include <atomic>
#include <cstdint>

#include "drivers/kioctx/list.h"
#include "drivers/kioctx/spin_lock.h"

namespace aioscope::kioctx {

enum class TaskState : std::uint32_t {
  kRunning,
  kInterruptible,  // will sleep unless woken first
  kSleeping,       // in the kernel: a waker must call it
};

struct WaitQueueEntry : ListNode {
  explicit WaitQueueEntry(bool leaves_when_woken) : autoremove(leaves_when_woken) { init(); }

  const bool autoremove;   // the waker takes it off the queue: autoremove_wake_function
  bool exclusive = false;  // wake_up() wakes one of these
  // Guarded by the queue's lock for writing; the sleeper itself reads it to see that it was taken
  // off.
  std::atomic<bool> linked{false};
  std::atomic<TaskState> state{TaskState::kRunning};
};

class WaitQueueHead {
 public:
  // Whether anybody is queued, without the lock: for a waker, after a full barrier.
  bool active() const { return !queue_.empty(); }

  // v3.7: the entry stays queued until removed. Exclusive entries go to the end.
  void add_wait_queue(WaitQueueEntry& entry);
  void add_wait_queue_exclusive(WaitQueueEntry& entry);
  void remove_wait_queue(WaitQueueEntry& entry);

  // Queues the entry unless it is, and makes it INTERRUPTIBLE; finish_wait() undoes both.
  void prepare_to_wait(WaitQueueEntry& entry);
  void finish_wait(WaitQueueEntry& entry);

  // Wakes all entries that are not exclusive, and one that is and was not running.
  void wake_up() { wake(1); }
  void wake_up_all() { wake(0); }

 private:
  void wake(int exclusive_entries);
  static void unlink(WaitQueueEntry& entry);

  SpinLock lock_;
  ListHead queue_;
};
static_assert(sizeof(WaitQueueHead) == 24, "as in the kernel: v3.7's first line is exactly full");

// A full barrier follows the store.
inline void set_current_state(WaitQueueEntry& entry, TaskState state) {
  entry.state.exchange(state, std::memory_order_seq_cst);  // pairs with WaitQueueHead::wake
}

// Gives up the CPU, as the kernel's schedule() does: first for one turn of those who wait to run,
// so that a waker who comes meanwhile need not enter the kernel, and then to sleep. Sleeps while
// the entry is INTERRUPTIBLE, until CLOCK_MONOTONIC `until_ns` or kForever. Returns 0 (woken,
// perhaps for nothing), -ETIMEDOUT or -EINTR. The state is RUNNING afterwards.
int schedule_until(WaitQueueEntry& entry, std::int64_t until_ns);

}  // namespace aioscope::kioctx
