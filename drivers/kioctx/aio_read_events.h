// Reaping: events move from the ring to the user, who waits when there are too few.
#pragma once

#include <algorithm>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/kioctx_impl.h"

namespace aioscope::kioctx {

template <Stage S>
std::int64_t Kioctx<S>::read_events(std::uint32_t min_nr, std::span<IoEvent> events,
                                    std::int64_t until_ns) {
  if constexpr (S.hrtimer_wait) {
    return read_events_by_hrtimer(min_nr, events, until_ns);
  } else {
    std::uint32_t have = 0;
    for (bool retried = false;; retried = true) {
      while (have < events.size() && aio_read_evt(events[have])) ++have;
      if (have >= min_nr) return have;
      // A look without the lock: who adds to the list later sees to it that it is run.
      if (retried || this->run_list.empty()) break;
      aio_run_all_iocbs();
    }
    return read_events_by_jiffies(min_nr, events, have, until_ns);
  }
}

// v3.7: one event for a turn of ring_lock, and a store of head for each.
template <Stage S>
bool Kioctx<S>::aio_read_evt(IoEvent& event) {
  AioRing& ring = *this->ring_pages;
  if (ring.head.load(std::memory_order_relaxed) == ring.tail.load(std::memory_order_relaxed)) {
    return false;
  }
  const SpinLockGuard guard(this->ring_lock, LockSite::kRingLock);
  const std::uint32_t head = ring.head.load(std::memory_order_relaxed) % this->nr_events;
  // Acquire: the event. Pairs with complete_locked().
  if (head == ring.tail.load(std::memory_order_acquire)) return false;
  event = ring.events()[head];
  smp_mb();
  // Release: the event was read. Pairs with kiocb_batch_refill().
  ring.head.store((head + 1) % this->nr_events, std::memory_order_release);
  return true;
}

// v3.7's slow path: as an exclusive waiter, queued anew for each event, until a jiffy has come. The
// timer is set for a whole number of jiffies from the current one, whose beginning has passed
// already: up to a jiffy early, as it was.
template <Stage S>
std::int64_t Kioctx<S>::read_events_by_jiffies(std::uint32_t min_nr, std::span<IoEvent> events,
                                               std::uint32_t have, std::int64_t until_ns) {
  std::int64_t expires_ns = until_ns;
  if (until_ns != kForever && until_ns != 0) {
    const std::int64_t now = monotonic_ns();
    const std::int64_t jiffies =
        (std::max<std::int64_t>(until_ns - now, 0) + kJiffyNs - 1) / kJiffyNs;
    expires_ns = (now / kJiffyNs + jiffies) * kJiffyNs;
  }
  bool timed_out = until_ns == 0;
  WaitQueueEntry entry(false);
  int error = 0;
  while (have < events.size()) {
    bool got = false;
    this->wait.add_wait_queue_exclusive(entry);
    for (;;) {
      set_current_state(entry, TaskState::kInterruptible);
      if ((got = aio_read_evt(events[have])) || have >= min_nr) break;
      if (is_dead()) {
        error = -EINVAL;
        break;
      }
      if (timed_out) break;
      const int woken = schedule_until(entry, expires_ns);
      timed_out = woken == -ETIMEDOUT;
      if (woken == -EINTR) {
        error = -EINTR;
        break;
      }
    }
    set_current_state(entry, TaskState::kRunning);
    this->wait.remove_wait_queue(entry);
    if (!got) break;
    ++have;
  }
  return have > 0 ? std::int64_t{have} : error;
}

// bulk_reap: all there is, up to what was asked for, under one mutex and with one store of head.
// active_until_reaped: with the events their slots come back.
//
// head is reduced to the ring and the tail is read with acquire: in 2012 both got lost here, and
// came back as bug fixes.
template <Stage S>
std::uint32_t Kioctx<S>::aio_read_events_ring(std::span<IoEvent> events) {
  const SpinLockGuard guard(this->ring_lock, LockSite::kRingLock);
  AioRing& ring = *this->ring_pages;
  const std::uint32_t nr = this->nr_events;
  std::uint32_t head = ring.head.load(std::memory_order_relaxed) % nr;
  // Acquire: the events. Pairs with unlock_tail().
  const std::uint32_t end = ring.tail.load(std::memory_order_acquire) % nr;
  std::uint32_t count = 0;
  while (head != end && count < events.size()) {
    const std::uint32_t contiguous = (head < end ? end : nr) - head;
    const auto run = std::min(contiguous, std::uint32_t(events.size()) - count);
    std::copy_n(ring.events() + head, run, events.data() + count);
    count += run;
    head = (head + run) % nr;
  }
  if (count == 0) return 0;
  ring.head.store(head, std::memory_order_release);  // the user's to read; slots order the rest
  put_reqs_available(this->cpu, this->reqs_available, this->req_batch, count);
  return count;
}

// hrtimer_wait: not exclusive, so that every completion wakes all who sleep; the first waker takes
// them off the queue, and the completions after it find it empty. The time is exact to the clock.
template <Stage S>
std::int64_t Kioctx<S>::read_events_by_hrtimer(std::uint32_t min_nr, std::span<IoEvent> events,
                                               std::int64_t until_ns) {
  std::uint32_t have = 0;
  const auto enough = [&] {
    have += aio_read_events_ring(events.subspan(have));
    return have >= min_nr || is_dead();
  };
  int error = 0;
  if (!enough()) {
    WaitQueueEntry entry(true);
    for (;;) {
      this->wait.prepare_to_wait(entry);
      if (enough() || error != 0 || until_ns == 0) break;
      error = schedule_until(entry, until_ns);
    }
    this->wait.finish_wait(entry);
  }
  if (have > 0) return have;
  if (is_dead()) return -EINVAL;
  return error == -EINTR ? -EINTR : 0;
}

}  // namespace aioscope::kioctx
