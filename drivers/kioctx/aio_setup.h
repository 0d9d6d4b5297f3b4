// Contexts: how they begin, are found, are counted, and end.
#pragma once

#include "drivers/kioctx/kioctx_impl.h"

namespace aioscope::kioctx {

template <Stage S>
RingSize Kioctx<S>::size_for(std::uint32_t nr_events) {
  if constexpr (S.percpu_reqs_available) return ring_size_percpu(nr_events, num_possible_cpus());
  return ring_size(nr_events);
}

template <Stage S>
ContextInfo Kioctx<S>::info() const {
  ContextInfo info{.nr_events = this->nr_events, .slots = this->nr_events - 1};
  if constexpr (S.percpu_reqs_available) info.req_batch = this->req_batch;
  return info;
}

template <Stage S>
Kioctx<S>* Kioctx<S>::ioctx_alloc(std::uint32_t nr_events) {
  auto* ctx = new Kioctx(size_for(nr_events));
  // As in the kernel, the identity is where the ring is.
  ctx->user_id = reinterpret_cast<std::uintptr_t>(ctx->ring_pages);
  if constexpr (S.percpu_refcount) ctx->users.get();
  ctx->hlist_add();
  return ctx;
}

template <Stage S>
void Kioctx<S>::hlist_add() {
  Mm<S>& process = *this->mm;
  const SpinLockGuard guard(process.ioctx_lock, LockSite::kIoctxLock);
  Kioctx* first = process.ioctx_list.load(std::memory_order_relaxed);
  this->list.next.store(first, std::memory_order_relaxed);
  this->list.pprev = &process.ioctx_list;
  if (first != nullptr) first->list.pprev = &this->list.next;
  process.ioctx_list.store(this, std::memory_order_release);  // pairs with lookup_ioctx
}

// Leaves `next` for those who are walking over this context.
template <Stage S>
void Kioctx<S>::hlist_del() {
  Kioctx* next = this->list.next.load(std::memory_order_relaxed);
  if (next != nullptr) next->list.pprev = this->list.pprev;
  this->list.pprev->store(next, std::memory_order_release);  // pairs with lookup_ioctx
}

// v3.7: a dead context or one whose last user is gone is still found, and is refused.
// refcounting: what is found has its initial reference until the read section ends.
template <Stage S>
Kioctx<S>* Kioctx<S>::lookup_ioctx(AioContextId id) {
  const RcuReadGuard guard;
  Kioctx* ctx = current_mm<S>.ioctx_list.load(std::memory_order_acquire);  // pairs with hlist_*
  while (ctx != nullptr && ctx->user_id != id) {
    ctx = ctx->list.next.load(std::memory_order_acquire);  // pairs with hlist_*
  }
  if (ctx == nullptr) return nullptr;
  if constexpr (S.percpu_refcount) {
    ctx->users.get();
    return ctx;
  } else {
    if (ctx->is_dead()) return nullptr;
    std::int32_t users = ctx->users.load(std::memory_order_relaxed);
    do {
      if (users == 0) return nullptr;
    } while (!ctx->users.compare_exchange_weak(users, users + 1, std::memory_order_relaxed));
    return ctx;
  }
}

template <Stage S>
void Kioctx<S>::put_ioctx() {
  if constexpr (S.percpu_refcount) {
    if (this->users.put()) free_ioctx();
  } else {
    // Release: what was done with the reference; acquire: what all others did, before the end.
    if (this->users.fetch_sub(1, std::memory_order_acq_rel) == 1) free_ioctx();
  }
}

template <Stage S>
bool Kioctx<S>::is_dead() const {
  if constexpr (S.percpu_refcount) {
    return this->users.state() == PercpuRef::State::kDead;
  } else {
    return this->dead.load(std::memory_order_relaxed) != 0;
  }
}

template <Stage S>
void Kioctx<S>::kill_ioctx() {
  if constexpr (S.refcounting) {
    if (!this->users.kill()) return;
    {
      const SpinLockGuard guard(this->mm->ioctx_lock, LockSite::kIoctxLock);
      hlist_del();
    }
    synchronize_rcu();  // who has found it in the list has a reference of his own by now
    this->wait.wake_up_all();
    put_ioctx();
  } else {
    bool was_dead = false;
    {
      const SpinLockGuard guard(this->mm->ioctx_lock, LockSite::kIoctxLock);
      was_dead = this->dead.exchange(1, std::memory_order_relaxed) != 0;
      if (!was_dead) hlist_del();
    }
    if (!was_dead) put_ioctx();
    kill_ctx();
    this->wait.wake_up_all();
  }
}

// Cancels what is listed: in v3.7 every request, each marked so that it posts no event; in
// lazy_cancel those that can be. Needs ctx_lock, and lets go of it around each cancel function.
template <Stage S>
void Kioctx<S>::cancel_all() {
  while (!this->active_reqs.empty()) {
    auto& req = static_cast<Request&>(static_cast<ActiveNode&>(*this->active_reqs.get_next()));
    req.ActiveNode::remove();
    if constexpr (!S.lazy_cancel) {
      req.ki_flags.fetch_or(RetryFields::Flags::kCancelled, std::memory_order_relaxed);
    }
    IoEvent event;
    kiocb_cancel(req, &event);
  }
}

// v3.7: cancels all requests and sleeps until none is active.
template <Stage S>
void Kioctx<S>::kill_ctx() {
  this->ctx_lock.lock(LockSite::kCtxLockTeardown);
  cancel_all();
  if (this->reqs_active != 0) {
    WaitQueueEntry entry(false);
    this->wait.add_wait_queue(entry);
    set_current_state(entry, TaskState::kInterruptible);
    while (this->reqs_active != 0) {
      this->ctx_lock.unlock();
      schedule_until(entry, kForever);
      set_current_state(entry, TaskState::kInterruptible);
      this->ctx_lock.lock(LockSite::kCtxLockTeardown);
    }
    this->wait.remove_wait_queue(entry);
  }
  this->ctx_lock.unlock();
}

// active_until_reaped: takes the slots lent to CPUs back and then waits for those in flight, by
// reaping in place of the user: an event that comes to the ring is a slot that comes back. Nobody
// can get or reap any more. A cancelled request has no event and gives its slot back itself.
template <Stage S>
void Kioctx<S>::wait_for_all_slots() {
  this->reqs_available.fetch_add(percpu_fold(this->cpu), std::memory_order_relaxed);
  const std::uint32_t slots = this->nr_events - 1;
  std::uint32_t head = this->ring_pages->head.load(std::memory_order_relaxed) % this->nr_events;
  WaitQueueEntry entry(true);
  for (;;) {
    this->wait.prepare_to_wait(entry);
    // Acquire: pairs with unlock_tail().
    const std::uint32_t end = this->ring_pages->tail.load(std::memory_order_acquire);
    const std::uint32_t reaped = (end + this->nr_events - head) % this->nr_events;
    head = end;
    // Acquire: pairs with complete(), of cancelled requests.
    if (this->reqs_available.fetch_add(reaped, std::memory_order_acquire) + reaped >= slots) break;
    schedule_until(entry, kForever);
  }
  this->wait.finish_wait(entry);
}

// The last user is gone. Completions may still be looking at the wait queue, in a read section.
template <Stage S>
void Kioctx<S>::free_ioctx() {
  if constexpr (S.refcounting) {
    this->ctx_lock.lock(LockSite::kCtxLockTeardown);
    cancel_all();
    this->ctx_lock.unlock();
    wait_for_all_slots();
  } else {
    this->wq.cancel_sync();
  }
  call_rcu(free_ioctx_rcu, this);
}

template <Stage S>
void Kioctx<S>::free_ioctx_rcu(void* context) {
  delete static_cast<Kioctx*>(context);
}

}  // namespace aioscope::kioctx
