// Completing: the event goes to the ring, and who waits for it is woken.
#pragma once

#include <algorithm>
#include <functional>

#include "drivers/kioctx/aio_slots.h"
#include "drivers/kioctx/contended_wait.h"
#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

// As in SpinLock; each turn here writes the line, as the series' loop does.
inline constexpr int kTailSpins = 100;

template <Stage S>
constinit const KiocbOperations Kioctx<S>::kKiocbOperations{
    .complete = complete_kiocb,
    .complete_batch = complete_kiocb_batch,
    .set_cancel_fn =
        [](Kiocb* req, KiocbCancel cancel) {
          request(req).ki_ctx->set_cancel_fn(request(req), cancel);
        },
    .clear_cancel_fn = [](Kiocb* req) { return clear_cancel_fn(request(req)); },
    .kick = [](Kiocb* req) { request(req).ki_ctx->kick(request(req)); },
};

template <Stage S>
void Kioctx<S>::complete_kiocb(Kiocb* req, std::int64_t result) {
  request(req).ki_ctx->complete(request(req), result);
}

// batch-completion: those of one context together, in the order in which they came.
template <Stage S>
void Kioctx<S>::complete_kiocb_batch(std::span<CompletedKiocb> completed) {
  if constexpr (!S.batch_completion) {
    for (const CompletedKiocb& done : completed) complete_kiocb(done.req, done.result);
  } else {
    const auto context = [](const CompletedKiocb& done) { return request(done.req).ki_ctx; };
    std::ranges::stable_sort(completed, std::less<>(), context);
    while (!completed.empty()) {
      Kioctx* ctx = context(completed.front());
      const auto end = std::ranges::find_if(
          completed, [&](const CompletedKiocb& done) { return context(done) != ctx; });
      const auto count = std::size_t(end - completed.begin());
      ctx->complete_batch(completed.first(count));
      completed = completed.subspan(count);
    }
  }
}

// The read section keeps the context: its last request may be gone, and its slots all back, before
// the completion has looked for sleepers. (v3.7 has interrupts off instead.)
template <Stage S>
void Kioctx<S>::complete(Request& req, std::int64_t result) {
  const RcuReadGuard guard;
  if constexpr (!S.lazy_cancel) {
    complete_under_ctx_lock(req, result);
  } else {
    unlist(req);
    Posted posted{};
    if constexpr (S.mutation == Mutation::kWakeBeforePost) {
      wake_reapers(Posted{1});
      schedule_point("complete: posted, sleepers not looked for");
    }
    if (posts_event(req)) {
      posted = post_event(req, result);
      if constexpr (!S.active_until_reaped) put_slot_of_cancelled();
    } else {
      put_slot_of_cancelled();
      if constexpr (S.xchg_tail)
        smp_mb();  // for wake_reapers(), as unlock_tail() does for an event
      if constexpr (S.mutation == Mutation::kNoWakeNoEvent) {
        aio_put_req(req);
        return;
      }
    }
    if constexpr (S.mutation != Mutation::kWakeBeforePost) {
      schedule_point("complete: posted, sleepers not looked for");
      wake_reapers(posted);
    }
    aio_put_req(req);
  }
}

// percpu-rings: a request that was done when its file operation returned. The submitter holds the
// context, so that no read section is needed; where nobody could cancel, nobody else knows the
// request either, and it ends without an atomic. Its event is posted with those of the call's other
// requests, at the latest when io_submit() returns.
template <Stage S>
void Kioctx<S>::complete_inline(Request& req, std::int64_t result, KiocbBatch& batch) {
  if (req.ActiveNode::get_next() != nullptr) {
    complete(req, result);
    aio_put_req(req);
    return;
  }
  batch.done.add(cpu_event_of(req, result));
  if (batch.done.full()) post_events(batch.done);
  kiocb_free(&req);
}

template <Stage S>
CpuEvent Kioctx<S>::cpu_event_of(const Request& req, std::int64_t result) {
  return {.data = req.ki_user_data.load(std::memory_order_relaxed), .res = result};
}

// percpu-rings: one update of a ring and one look for sleepers.
template <Stage S>
void Kioctx<S>::post_events(EventBatch& done) {
  if (done.empty()) return;
  wake_reapers(this->rings.push(done.events()));
  done.clear();
}

// batch-completion: one update of the ring and one look for sleepers, for requests of this context.
template <Stage S>
void Kioctx<S>::complete_batch(std::span<CompletedKiocb> completed) {
  const RcuReadGuard guard;
  for (const CompletedKiocb& done : completed) unlist(request(done.req));
  if constexpr (S.xchg_tail) {
    std::uint32_t end = lock_tail();
    for (const CompletedKiocb& done : completed) {
      if (posts_event(request(done.req))) {
        end = put_event(end, request(done.req), done.result);
      } else {
        put_slot_of_cancelled();
      }
    }
    unlock_tail(end);
    wake_reapers({});
  } else {
    EventBatch events;
    bool cancelled = false;
    for (const CompletedKiocb& done : completed) {
      if (posts_event(request(done.req))) {
        events.add(cpu_event_of(request(done.req), done.result));
        if (events.full()) post_events(events);
      } else {
        put_slot_of_cancelled();
        cancelled = true;
      }
    }
    post_events(events);
    if (cancelled) wake_reapers(nullptr);
  }
  for (const CompletedKiocb& done : completed) aio_put_req(request(done.req));
}

// lazy-cancel: takes the request off active_reqs, if it is the rare one that is on it.
template <Stage S>
void Kioctx<S>::unlist(Request& req) {
  if (req.ActiveNode::get_next() == nullptr) return;
  const SpinLockGuard lock(this->ctx_lock, LockSite::kCtxLockListed);
  req.ActiveNode::remove();
}

// lazy-cancel: who comes first, canceller or completion? In mainline both have an event.
template <Stage S>
bool Kioctx<S>::posts_event(Request& req) {
  if constexpr (S.event_for_cancelled) return true;
  // Pairs with kiocb_cancel().
  return req.ki_cancel.exchange(kKiocbCancelled, std::memory_order_acq_rel) != kKiocbCancelled;
}

// Until lazy-cancel: everything under ctx_lock, the wake-up of a reaper included.
template <Stage S>
void Kioctx<S>::complete_under_ctx_lock(Request& req, std::int64_t result) {
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockComplete);
  if constexpr (!S.no_retry) {
    if (req.RunNode::prev != nullptr && !req.RunNode::empty()) req.RunNode::remove();
  }
  if ((req.ki_flags.load(std::memory_order_relaxed) & FlagFields::kCancelled) == 0) {
    this->tail = put_event(this->tail, req, result);
    // Release: the event. Pairs with aio_read_evt() and aio_read_events_ring().
    this->ring_pages->tail.store(this->tail, std::memory_order_release);
  }
  if constexpr (S.lockless_put) {
    unbatch(req);
    aio_put_req(req);
  } else {
    aio_put_req_locked(req);
  }
  smp_mb();  // the tail before the look at the queue; pairs with set_current_state()
  if (this->wait.active()) this->wait.wake_up();
}

// Writes the event at index `at` and returns the index behind it. Needs the producers' lock.
template <Stage S>
std::uint32_t Kioctx<S>::put_event(std::uint32_t at, const Request& req, std::int64_t result) {
  const std::uint64_t data = req.ki_user_data.load(std::memory_order_relaxed);
  this->ring_pages->events()[at] = {data, data, result, 0};
  schedule_point("complete: event written, tail not");
  return ++at >= this->nr_events ? 0 : at;
}

template <Stage S>
typename Kioctx<S>::Posted Kioctx<S>::post_event(const Request& req, std::int64_t result) {
  if constexpr (S.percpu_rings) {
    const CpuEvent event = cpu_event_of(req, result);
    return this->rings.push({&event, 1});
  } else if constexpr (S.xchg_tail) {
    unlock_tail(put_event(lock_tail(), req, result));
    if constexpr (S.mutation == Mutation::kSlotAtCompletion) put_slots(1);
    return 0;
  } else {
    return post_under_completion_lock(req, result);
  }
}

template <Stage S>
std::uint32_t Kioctx<S>::post_under_completion_lock(const Request& req, std::int64_t result) {
  const SpinLockGuard guard(this->completion_lock, LockSite::kCompletionLock);
  const std::uint32_t end = put_event(this->tail, req, result);
  this->tail = end;
  // Release: the event. Pairs with aio_read_events_ring() and aio_read_evt().
  this->ring_pages->tail.store(end, std::memory_order_release);
  if constexpr (!S.slots_at_completion) {
    return 0;
  } else {
    // Acquire: the reaper has read the events that it moved head past. Pairs with
    // aio_read_events_ring().
    const std::uint32_t head = this->ring_pages->head.load(std::memory_order_acquire);
    const std::uint32_t posted = this->completed_events.load(std::memory_order_relaxed) + 1;
    this->completed_events.store(posted, std::memory_order_relaxed);
    if constexpr (S.mutation == Mutation::kSlotAtCompletion) {
      put_slots(1);
    } else {
      if (posted > 1) refill_reqs_available(head, end);
    }
    return end > head ? end - head : end + this->nr_events - head;
  }
}

// A full barrier between the event, or the slot that came back without one, and the look at the
// queue pairs with the sleeper's (set_current_state(), prepare_to_wait()) between the queue and the
// look at the ring, or at the slots: the sleeper is seen, or has seen what came. In xchg-tail the
// caller has it behind him: of unlock_tail(), or where there was no event, of its own.
// percpu-rings: without a ring no event came.
template <Stage S>
void Kioctx<S>::wake_reapers(Posted posted) {
  if constexpr (S.percpu_rings) {
    smp_mb();
    if (!this->wait.active()) return;  // without reading the head's line
    const std::uint32_t available = posted == nullptr ? 0 : posted->available();
    if (this->wait.wants(available)) this->wait.wake_up_for(available);
  } else {
    if constexpr (!S.xchg_tail) smp_mb();
    if (!this->wait.active()) return;
    if constexpr (S.min_nr_wakeups) {
      this->wait.wake_up_for(posted);
    } else {
      this->wait.wake_up();
    }
  }
}

// The tail as the producers' lock. One line holds both, and it moves once per completion.
//
// Invariant: `tail` is kTailLocked while one completion has it; that one alone writes events, the
// ring's tail, and `tail` back. Who spins in vain parks, as in SpinLock, on a flag of its own since
// the tail must stay one word:
//   parker: tail_parked = 1; rare half barrier; exchange; sleep while tail_parked is 1
//   holder: tail = end; common half barrier; tail_parked set? then tail_parked = 0, wake one
// Either the holder sees the flag or the parker gets the tail. One that was woken sets the flag
// again before it tries, since others may sleep still.
template <Stage S>
std::uint32_t Kioctx<S>::lock_tail() {
  const auto exchange = [this] {
    return this->tail.exchange(kTailLocked, std::memory_order_acquire);  // pairs with unlock_tail()
  };
  std::uint32_t seen = exchange();
  ++lock_count(LockSite::kTail).acquisitions;
  if (seen != kTailLocked) [[likely]] {
    return seen;
  }
  const ContendedWait contended(LockSite::kTail);
  for (int spin = 0; spin < kTailSpins; ++spin) {
    cpu_relax();
    count_shared_rmw();
    seen = exchange();
    if (seen != kTailLocked) return seen;
  }
  for (;;) {
    this->tail_parked.store(1, std::memory_order_relaxed);
    smp_mb_rare();  // pairs with unlock_tail()
    count_shared_rmw();
    seen = exchange();
    if (seen != kTailLocked) return seen;
    schedule_point("complete: tail parked on, not asleep");
    futex_wait(&this->tail_parked, 1, kForever);
  }
}

// As in the series: events, the ring's tail, a full barrier, and with a plain store the lock.
template <Stage S>
void Kioctx<S>::unlock_tail(std::uint32_t end) {
  // Release: the events. Pairs with aio_read_events_ring().
  this->ring_pages->tail.store(end, std::memory_order_release);
  schedule_point("complete: ring's tail written, lock held");
  smp_mb();                                          // for wake_reapers(): see there
  this->tail.store(end, std::memory_order_release);  // pairs with lock_tail()
  smp_mb_common();                                   // pairs with lock_tail()
  if (this->tail_parked.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    this->tail_parked.store(0, std::memory_order_relaxed);
    futex_wake(&this->tail_parked, 1);
  }
}

}  // namespace aioscope::kioctx
