// Slots: a request's right to an event in the ring. The part of the context that the series changed
// most often:
//
//   v3.7                    reqs_active under ctx_lock, and the room that the ring has besides
//   active-until-reaped     reqs_active alone: a reaped event is a slot less
//   no-batch-alloc          reqs_active is atomic and taken one at a time
//   reqs-available          the same number counted down
//   percpu-reqs-available   per CPU, borrowed in batches (reqs_available.h)
//   mainline                per CPU; slots come back by looking at how far the user has reaped
#pragma once

#include <algorithm>  // IWYU pragma: keep

#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/reqs_available.h"
#include "drivers/kioctx/request_cache.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

inline constexpr std::uint32_t kKiocbBatchSize = 32;

// Until no-batch-alloc, under ctx_lock: how many more requests may be allocated. Before
// active-until-reaped that is what the ring has free, less what is in flight and will come to it.
// This can be below zero: a request that completed at once is counted twice, as an event and as
// active, until its submitter or its completion has got to reqs_active. (The kernel took this for a
// BUG.)
template <Stage S>
std::int64_t Kioctx<S>::batch_room() const {
  const std::uint32_t nr = this->nr_events;
  if constexpr (S.active_until_reaped) {
    // Acquire: the events were read before their slots came back. Pairs with put_slots().
    return std::int64_t{nr} - 1 - this->reqs_active.load(std::memory_order_acquire);
  } else {
    // In lazy-cancel completions no longer hold ctx_lock: they post, then leave reqs_active. Read
    // in the other order, so that an event may be counted twice and never not at all. (The series'
    // patch reads the ring first, and can hand out a slot too many.)
    const auto count_active = [this]() -> std::int64_t {
      if constexpr (S.lockless_put) {
        // Acquire: the posted events. Pairs with put_slot_of_cancelled().
        return this->reqs_active.load(std::memory_order_acquire);
      } else {
        return this->reqs_active;
      }
    };
    const auto ring_room = [this, nr]() -> std::int64_t {
      // Acquire: the reaper has read the events that it moved head past. Pairs with aio_read_evt()
      // and aio_read_events_ring(). Before the tail, which it cannot pass then.
      const std::uint32_t head = this->ring_pages->head.load(std::memory_order_acquire) % nr;
      const std::uint32_t end = this->ring_pages->tail.load(std::memory_order_relaxed);
      return (head + nr - 1 - end) % nr;
    };
    if constexpr (S.mutation == Mutation::kRingBeforeActive) {
      const std::int64_t room = ring_room();
      schedule_point("submit: one half counted");
      return room - count_active();
    }
    const std::int64_t active = count_active();
    schedule_point("submit: one half counted");
    return ring_room() - active;
  }
}

// Until no-batch-alloc: up to 32 requests are allocated without the lock, then get their slots and,
// until lazy-cancel, their places in active_reqs under it. Without memory, with as many as there
// are.
template <Stage S>
std::uint32_t Kioctx<S>::kiocb_batch_refill(KiocbBatch& batch) {
  const std::uint32_t wanted = std::min(batch.count, kKiocbBatchSize);
  std::uint32_t allocated = 0;
  for (; allocated < wanted; ++allocated) {
    Request* req = kiocb_alloc();
    if (req == nullptr) break;
    req->ki_batch_next = batch.head;
    batch.head = req;
  }
  if (allocated == 0) return 0;
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockAllocBatch);
  const auto avail = std::uint32_t(std::max<std::int64_t>(batch_room(), 0));
  for (; batch.head != nullptr && allocated > avail; --allocated) {
    Request* req = batch.head;
    batch.head = req->ki_batch_next;
    RequestCache<Request>::free(req);
  }
  for (Request* req = batch.head; req != nullptr; req = req->ki_batch_next) {
    if constexpr (!S.lazy_cancel) req->ActiveNode::insert_after(&this->active_reqs);
    ++this->reqs_active;
    if constexpr (S.lockless_put) count_shared_rmw();
  }
  batch.count -= allocated;
  return allocated;
}

// Until no-batch-alloc, under ctx_lock: gives back what kiocb_batch_refill() gave one request.
template <Stage S>
void Kioctx<S>::unbatch(Request& req) {
  if constexpr (!S.lazy_cancel) req.ActiveNode::remove();
  --this->reqs_active;
  if constexpr (S.lockless_put) count_shared_rmw();
}

template <Stage S>
void Kioctx<S>::kiocb_batch_free(KiocbBatch& batch) {
  if (batch.head == nullptr) return;
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockFreeBatch);
  while (batch.head != nullptr) {
    Request* req = batch.head;
    batch.head = req->ki_batch_next;
    unbatch(*req);
    RequestCache<Request>::free(req);
  }
  wake_teardown();
}

// Until refcounting, under ctx_lock: a slot came back without a completion.
template <Stage S>
void Kioctx<S>::wake_teardown() {
  if constexpr (!S.refcounting) {
    if (this->reqs_active == 0 && is_dead()) this->wait.wake_up_all();
  }
}

// From no-batch-alloc on.
template <Stage S>
bool Kioctx<S>::get_slot() {
  if constexpr (S.percpu_reqs_available) {
    if (get_reqs_available(this->cpu, this->reqs_available, this->req_batch)) return true;
    if constexpr (S.slots_at_completion) {
      user_refill_reqs_available();
      return get_reqs_available(this->cpu, this->reqs_available, this->req_batch);
    }
    return false;
  } else if constexpr (S.reqs_available) {
    std::uint32_t avail = this->reqs_available.load(std::memory_order_relaxed);
    for (bool got = false; !got;) {
      if (avail == 0) return false;
      // Acquire: the events were read before their slots came back. Pairs with put_slots().
      got = this->reqs_available.compare_exchange_weak(avail, avail - 1, std::memory_order_acquire,
                                                       std::memory_order_relaxed);
      count_shared_rmw();
    }
    return true;
  } else {
    const auto slots = std::int32_t(this->nr_events - 1);
    if (this->reqs_active.load(std::memory_order_relaxed) > slots) return false;
    // Acquire: the events were read before their slots came back. Pairs with put_slots().
    const bool got = this->reqs_active.fetch_add(1, std::memory_order_acquire) < slots;
    count_shared_rmw();
    if (got) return true;
    count_shared_rmw();
    this->reqs_active.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
}

// From active-until-reaped on: by a reaper, or by a submitter whose request was refused.
template <Stage S>
void Kioctx<S>::put_slots(std::uint32_t count) {
  if constexpr (S.percpu_reqs_available) {
    put_reqs_available(this->cpu, this->reqs_available, this->req_batch, count);
  } else {
    count_shared_rmw();
    // Release: the events have been read.
    if constexpr (S.reqs_available) {
      this->reqs_available.fetch_add(count, std::memory_order_release);  // pairs: get_slot
    } else {
      // Pairs with get_slot() and batch_room().
      this->reqs_active.fetch_sub(std::int32_t(count), std::memory_order_release);
    }
  }
}

// By a completion that posts no event, on any CPU. Where slots are counted per CPU, to the global
// number: the others may be being folded by the teardown.
template <Stage S>
void Kioctx<S>::put_slot_of_cancelled() {
  count_shared_rmw();
  if constexpr (S.reqs_available) {
    this->reqs_available.fetch_add(1, std::memory_order_release);  // pairs: wait_for_all_slots
  } else {
    this->reqs_active.fetch_sub(1, std::memory_order_release);  // pairs: wait_for_all_slots
  }
}

// mainline, with completion_lock: of the events posted, those that the user has reaped give their
// slots back. Neither head nor what is between it and the tail is believed: no more slots come back
// than events have been posted.
template <Stage S>
void Kioctx<S>::refill_reqs_available(std::uint32_t head, std::uint32_t end) {
  head %= this->nr_events;
  const std::uint32_t in_ring = head <= end ? end - head : this->nr_events - (head - end);
  const std::uint32_t posted = this->completed_events.load(std::memory_order_relaxed);
  if (in_ring >= posted) return;
  this->completed_events.store(in_ring, std::memory_order_relaxed);
  put_slots(posted - in_ring);
}

// mainline, by a submitter who found no slot.
template <Stage S>
void Kioctx<S>::user_refill_reqs_available() {
  const SpinLockGuard guard(this->completion_lock, LockSite::kCompletionLockRefill);
  if (this->completed_events.load(std::memory_order_relaxed) == 0) return;
  // Acquire: the reaper has read the events that it moved head past. Pairs with
  // aio_read_events_ring().
  refill_reqs_available(this->ring_pages->head.load(std::memory_order_acquire), this->tail);
}

}  // namespace aioscope::kioctx
