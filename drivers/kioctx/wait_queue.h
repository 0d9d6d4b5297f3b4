// The kernel's wait queue: threads that sleep until somebody else makes a condition true.
//
// A sleeper and a waker never miss each other:
//   sleeper: enters the queue; state = INTERRUPTIBLE; full barrier; tests the condition; sleeps
//   waker:   makes the condition true; full barrier; queue empty? -> nothing to do; else wakes
// Either the waker sees the sleeper in the queue, or the sleeper sees the condition true. It is the
// same where the sleeper was in the queue already (it stays there between its sleeps) and the waker
// comes to its state before INTERRUPTIBLE does: that waker made the condition true before its
// barrier, and the sleeper tests it after its own.
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

  const bool autoremove;     // the waker takes it off the queue: autoremove_wake_function
  bool exclusive = false;    // wake_up() wakes one of these
  std::uint32_t min_nr = 0;  // wake_up_for() passes over who wants more than there is
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

  // Queues the entry unless it is, and makes it INTERRUPTIBLE; finish_wait() undoes both. A full
  // barrier ends it.
  void prepare_to_wait(WaitQueueEntry& entry, std::uint32_t min_nr = 0);
  void finish_wait(WaitQueueEntry& entry);

  // Wakes all entries that are not exclusive, and one that is and was not running.
  void wake_up() { wake(1, UINT32_MAX); }
  void wake_up_all() { wake(0, UINT32_MAX); }
  // Of those, the ones that want at most `available` events.
  void wake_up_for(std::uint32_t available) { wake(1, available); }

 protected:
  // Entries made runnable whose threads sleep in the kernel.
  class Sleepers;

  void wake(int exclusive_entries, std::uint32_t available);
  // These need the lock.
  // Without the barrier, which comes when all is stored that a waker looks at.
  void queue_to_wait(WaitQueueEntry& entry, std::uint32_t min_nr);
  void collect(int exclusive_entries, std::uint32_t available, Sleepers& sleepers);
  static void unlink(WaitQueueEntry& entry);

  SpinLock lock_;
  ListHead queue_;
};
static_assert(sizeof(WaitQueueHead) == 24, "as in the kernel: v3.7's first line is exactly full");

// A wait queue whose wakers look at one number that sleepers alone write: how many events there
// must be before anybody is woken. A waker for whom there are fewer takes no lock.
//
//   sleeper: enters the queue, least_min_nr_ <= its own; full barrier; tests; sleeps
//   waker:   posts events; full barrier; reads least_min_nr_
//
// Either the waker sees the number, or the sleeper sees the events. (The sleeper's barrier by
// membarrier(2), which would make the waker's free, costs more than it saves: a sleep is a matter
// of microseconds here, and so is every interrupt that it sends to the other CPUs.)
class MinWaitQueueHead : private WaitQueueHead {
 public:
  bool active() const { return least_min_nr_.load(std::memory_order_relaxed) != kNobody; }
  // Whether somebody sleeps who is content with `available` events.
  bool wants(std::uint32_t available) const {
    return available >= least_min_nr_.load(std::memory_order_relaxed);
  }

  // A full barrier ends it.
  void prepare_to_wait(WaitQueueEntry& entry, std::uint32_t min_nr);
  void finish_wait(WaitQueueEntry& entry);
  void wake_up_for(std::uint32_t available);
  void wake_up_all() { wake_up_for(kNobody - 1); }

 private:
  static constexpr std::uint32_t kNobody = UINT32_MAX;

  void find_least();  // needs the lock

  std::atomic<std::uint32_t> least_min_nr_{kNobody};  // written under lock_
};

// A full barrier follows the store. It pairs with the waker's, between the condition and the look
// at the queue. (An exchange, were it sequentially consistent even, is none for the loads after it:
// not in C++, and not on ARM.)
inline void set_current_state(WaitQueueEntry& entry, TaskState state) {
  entry.state.store(state, std::memory_order_relaxed);
  smp_mb();
}

// Gives up the CPU, as the kernel's schedule() does: first for one turn of those who wait to run,
// so that a waker who comes meanwhile need not enter the kernel, and then to sleep. Sleeps while
// the entry is INTERRUPTIBLE, until CLOCK_MONOTONIC `until_ns` or kForever. Returns 0 (woken,
// perhaps for nothing), -ETIMEDOUT or -EINTR. The state is RUNNING afterwards.
int schedule_until(WaitQueueEntry& entry, std::int64_t until_ns);

}  // namespace aioscope::kioctx
