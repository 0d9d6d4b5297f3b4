// Reaping: events move from the ring to the user, who waits when there are too few.
#pragma once

#include <algorithm>
#include <cerrno>

#include "drivers/kioctx/aio_slots.h"
#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

template <Stage S>
std::int64_t Kioctx<S>::read_events(std::uint32_t min_nr, std::span<IoEvent> events,
                                    std::int64_t until_ns) {
  if constexpr (S.hrtimer_wait) {
    return read_events_by_hrtimer(min_nr, events, until_ns);
  } else {
    std::uint32_t have = reap(events);
    if constexpr (!S.no_retry) {
      // A look without the lock: who adds to the list later sees to it that it is run.
      if (have < min_nr && !this->run_list.empty()) {
        aio_run_all_iocbs();
        have += reap(events.subspan(have));
      }
    }
    if (have >= min_nr) return have;
    return read_events_by_jiffies(min_nr, events, have, until_ns);
  }
}

// What there is, up to what was asked for, without waiting.
template <Stage S>
std::uint32_t Kioctx<S>::reap(std::span<IoEvent> events) {
  if constexpr (S.percpu_rings) {
    return read_cpu_rings(events);
  } else if constexpr (S.bulk_reap) {
    return aio_read_events_ring(events);
  } else {
    std::uint32_t count = 0;
    while (count < events.size() && aio_read_evt(events.data() + count)) ++count;
    return count;
  }
}

// Until bulk-reap: one event for a turn of ring_lock, and a store of head for each.
template <Stage S>
bool Kioctx<S>::aio_read_evt(IoEvent* event) {
  AioRing& ring = *this->ring_pages;
  if (ring.head.load(std::memory_order_relaxed) == ring.tail.load(std::memory_order_relaxed)) {
    return false;
  }
  const SpinLockGuard guard(this->ring_lock, LockSite::kRingLock);
  const std::uint32_t head = ring.head.load(std::memory_order_relaxed) % this->nr_events;
  // Acquire: the event. Pairs with the producers.
  if (head == ring.tail.load(std::memory_order_acquire)) return false;
  *event = ring.events()[head];
  smp_mb();
  // Release: the event was read. Pairs with batch_room().
  ring.head.store((head + 1) % this->nr_events, std::memory_order_release);
  if constexpr (S.active_until_reaped) put_slots(1);
  return true;
}

// Until hrtimer-wait, the slow path: as an exclusive waiter, queued anew for each event, until a
// jiffy has come. The timer is set for a whole number of jiffies from the current one, whose
// beginning has passed already: up to a jiffy early, as it was.
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
    std::uint32_t got = 0;
    this->wait.add_wait_queue_exclusive(entry);
    for (;;) {
      set_current_state(entry, TaskState::kInterruptible);
      got = reap(events.subspan(have, S.bulk_reap ? events.size() - have : 1));
      if (got > 0 || have >= min_nr) break;
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
    if (got == 0) break;
    have += got;
  }
  return have > 0 ? std::int64_t{have} : error;
}

// bulk-reap: all there is, up to what was asked for, under one mutex and with one store of head.
// active-until-reaped: with the events their slots come back.
//
// head is reduced to the ring and the tail is read with acquire: in 2012 both got lost here, and
// came back as bug fixes.
template <Stage S>
std::uint32_t Kioctx<S>::aio_read_events_ring(std::span<IoEvent> events) {
  if (events.empty()) return 0;
  const SpinLockGuard guard(this->ring_lock, LockSite::kRingLock);
  AioRing& ring = *this->ring_pages;
  const std::uint32_t nr = this->nr_events;
  std::uint32_t head = ring.head.load(std::memory_order_relaxed);
  if constexpr (S.mutation != Mutation::kNoHeadClamp) head %= nr;
  [[maybe_unused]] IoEvent read_early;
  if constexpr (S.mutation == Mutation::kNoReadBarrier) read_early = ring.events()[head];
  schedule_point("reap: head read, tail not");
  // Acquire: the events. Pairs with the producers.
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
  if constexpr (S.mutation == Mutation::kNoReadBarrier) events.front() = read_early;
  schedule_point("reap: events read, head not written");
  // Release: the events were read. Pairs with batch_room() and the refill of slots; where slots
  // come back below, they order it.
  ring.head.store(head, std::memory_order_release);
  if constexpr (S.active_until_reaped && !S.slots_at_completion &&
                S.mutation != Mutation::kSlotAtCompletion) {
    schedule_point("reap: head written, slots not put");
    put_slots(count);
  }
  return count;
}

// percpu-rings.
template <Stage S>
std::uint32_t Kioctx<S>::read_cpu_rings(std::span<IoEvent> events) {
  if (events.empty()) return 0;
  const SpinLockGuard guard(this->ring_lock, LockSite::kRingLock);
  const std::uint32_t count = this->rings.pop(events);
  schedule_point("reap: head written, slots not put");
  if (count > 0) put_slots(count);
  return count;
}

// percpu-rings: a completion knows only how many events the ring of its CPU has. When `min_nr` are
// there in all, some ring has at least its share of them, rounded up; whoever brings a ring to that
// share wakes the sleeper, who counts for himself. So he may be woken for too few, and never sleeps
// while there are enough.
template <Stage S>
void Kioctx<S>::prepare_to_read(WaitQueueEntry& entry, std::uint32_t min_nr) {
  if constexpr (S.percpu_rings) {
    min_nr = (min_nr + this->rings.rings() - 1) / this->rings.rings();
  }
  this->wait.prepare_to_wait(entry, S.min_nr_wakeups ? min_nr : 0);
}

// hrtimer-wait: not exclusive, so that every completion wakes all who sleep; the first waker takes
// them off the queue, and the completions after it find it empty. The time is exact to the clock.
// min_nr_wakeups: only a completion that makes it enough wakes.
template <Stage S>
std::int64_t Kioctx<S>::read_events_by_hrtimer(std::uint32_t min_nr, std::span<IoEvent> events,
                                               std::int64_t until_ns) {
  std::uint32_t have = 0;
  const auto enough = [&] {
    have += reap(events.subspan(have));
    return have >= min_nr || is_dead();
  };
  int error = 0;
  if (!enough() && (until_ns != 0 || !S.min_nr_wakeups)) {
    WaitQueueEntry entry(true);
    for (;;) {
      [[maybe_unused]] const std::uint32_t had = have;
      prepare_to_read(entry, min_nr - have);
      schedule_point("reap: queued, not looked again");
      if (enough() || error != 0) break;
      if (until_ns == 0 && S.mutation != Mutation::kTimerForZero) break;
      if constexpr (S.min_nr_wakeups && S.mutation != Mutation::kStaleMinNr) {
        // It wants fewer now, which those who wake must know before it sleeps.
        if (have != had) continue;
      }
      error = schedule_until(entry, until_ns);
    }
    this->wait.finish_wait(entry);
  }
  if (have > 0) return have;
  if (is_dead()) return -EINVAL;
  return error == -EINTR ? -EINTR : 0;
}

}  // namespace aioscope::kioctx
