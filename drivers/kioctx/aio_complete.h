// Completing: the event goes to the ring, and who waits for it is woken.
#pragma once

#include "drivers/kioctx/contended_wait.h"
#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/kioctx_impl.h"

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

template <Stage S>
void Kioctx<S>::complete_kiocb_batch(std::span<CompletedKiocb> completed) {
  for (const CompletedKiocb& done : completed) complete_kiocb(done.req, done.result);
}

// Writes the event at index `at` and returns the index behind it. Needs the producers' lock.
template <Stage S>
std::uint32_t Kioctx<S>::put_event(std::uint32_t at, const Request& req, std::int64_t result) {
  const std::uint64_t data = req.ki_user_data.load(std::memory_order_relaxed);
  this->ring_pages->events()[at] = {data, data, result, 0};
  return ++at >= this->nr_events ? 0 : at;
}

// The read section keeps the context: its last request may be gone, and its slots all back, before
// the completion has looked for sleepers. (v3.7 has interrupts off instead.)
template <Stage S>
void Kioctx<S>::complete(Request& req, std::int64_t result) {
  const RcuReadGuard guard;
  if constexpr (!S.xchg_tail) {
    complete_locked(req, result);
  } else {
    if (req.ActiveNode::get_next() != nullptr) {
      const SpinLockGuard lock(this->ctx_lock, LockSite::kCtxLockListed);
      req.ActiveNode::remove();
    }
    // Who comes first, canceller or completion: pairs with kiocb_cancel().
    if (req.ki_cancel.exchange(kKiocbCancelled, std::memory_order_acq_rel) != kKiocbCancelled) {
      unlock_tail(put_event(lock_tail(), req, result));
    } else {
      // To the global number: the per-CPU ones may be being folded by the teardown.
      this->reqs_available.fetch_add(1, std::memory_order_release);  // pairs: wait_for_all_slots
      smp_mb_after_atomic();
    }
    // A full barrier has been above, so that the sleeper is seen or has seen the event.
    if (this->wait.active()) this->wait.wake_up();
    aio_put_req(req);
  }
}

// v3.7: everything under ctx_lock, the wake-up of a reaper included.
template <Stage S>
void Kioctx<S>::complete_locked(Request& req, std::int64_t result) {
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockComplete);
  if (req.RunNode::prev != nullptr && !req.RunNode::empty()) req.RunNode::remove();
  const bool cancelled =
      (req.ki_flags.load(std::memory_order_relaxed) & RetryFields::Flags::kCancelled) != 0;
  if (!cancelled) {
    this->tail = put_event(this->tail, req, result);
    // Release: the event. Pairs with aio_read_evt().
    this->ring_pages->tail.store(this->tail, std::memory_order_release);
  }
  aio_put_req_locked(req);
  smp_mb();  // the tail before the look at the queue; pairs with set_current_state()
  if (this->wait.active()) this->wait.wake_up();
}

// The tail as the producers' lock. One line holds both, and it moves once per completion.
//
// Invariant: `tail` is kTailLocked while one completion has it; that one alone writes events, the
// ring's tail, and `tail` back. Who spins in vain parks, as in SpinLock, on a flag of its own since
// the tail must stay one word: the flag is set before the exchange that fails, and looked at after
// the exchange that unlocks; these two are ordered by the word they exchange, so that the unlocker
// sees the flag.
template <Stage S>
std::uint32_t Kioctx<S>::lock_tail() {
  ++lock_count(LockSite::kTail).acquisitions;
  count_shared_rmw(2);  // to lock and to unlock
  // Acquire and release: pairs with unlock_tail(), of the holder before and of the holder now.
  std::uint32_t seen = this->tail.exchange(kTailLocked, std::memory_order_acq_rel);
  if (seen != kTailLocked) [[likely]] {
    return seen;
  }
  const ContendedWait contended(LockSite::kTail);
  for (int spin = 0; spin < kTailSpins; ++spin) {
    cpu_relax();
    seen = this->tail.exchange(kTailLocked, std::memory_order_acq_rel);  // pairs: as above
    if (seen != kTailLocked) return seen;
  }
  for (;;) {
    this->tail_parked.store(1, std::memory_order_relaxed);
    seen = this->tail.exchange(kTailLocked, std::memory_order_acq_rel);  // pairs: as above
    if (seen != kTailLocked) return seen;
    futex_wait(&this->tail_parked, 1, kForever);
  }
}

// Events, then the ring's tail, then a full barrier, then the lock: so it is in the series, with a
// plain store as the last. Here the store is an exchange, which is that barrier too, and is also
// the one that the flag needs.
template <Stage S>
void Kioctx<S>::unlock_tail(std::uint32_t end) {
  // Release: the events. Pairs with aio_read_events_ring().
  this->ring_pages->tail.store(end, std::memory_order_release);
  this->tail.exchange(end, std::memory_order_acq_rel);  // pairs with lock_tail
  smp_mb_after_atomic();
  if (this->tail_parked.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    this->tail_parked.store(0, std::memory_order_relaxed);
    futex_wake(&this->tail_parked, 1);
  }
}

}  // namespace aioscope::kioctx
