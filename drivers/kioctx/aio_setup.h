// Contexts: how they begin, are found, are counted, and end.
#pragma once

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>

#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

// mainline: the identity is where the ring is, as ever, and where the context is in the table. The
// kernel keeps the latter in the ring, which a lookup here could not read safely. As many contexts
// as fit are as many as the kernel's default of aio-max-nr allows.
inline constexpr unsigned kTableIndexShift = 48;  // user addresses are below 2^48
inline constexpr std::uint32_t kTableSizeMost = 1u << (64 - kTableIndexShift);

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

// If memory ends half-way, the destructor of what the other constructor has made frees the rest.
template <Stage S>
Kioctx<S>::Kioctx(const RingSize& size) : Kioctx() {
  this->mm = &current_mm<S>;
  this->max_reqs = size.nr_events;
  this->nr_events = size.nr_events;
  this->nr_pages = size.nr_pages;
  this->mmap_size = std::uint64_t{size.nr_pages} * kPageSize;
  this->ring_pages = alloc_ring(size, S.mutation == Mutation::kNoHeadClamp ? 1 : 0);
  if constexpr (!S.flat_ring) this->mmap_base = this->ring_pages;
  if constexpr (S.percpu_reqs_available) {
    this->cpu = alloc_percpu();
    this->req_batch = size.req_batch;
  }
  if constexpr (S.reqs_available) {
    this->reqs_available.store(size.slots(), std::memory_order_relaxed);
  }
  if constexpr (S.percpu_rings) this->rings.init(size.slots());
  if constexpr (!S.no_retry) this->wq.init(aio_kick_handler, this);
}

template <Stage S>
Kioctx<S>::~Kioctx() {
  schedule_point("end: freed");
  if constexpr (S.percpu_reqs_available) free_percpu(this->cpu);
  free_ring(this->ring_pages);
}

template <Stage S>
Kioctx<S>* Kioctx<S>::ioctx_alloc(std::uint32_t nr_events) {
  const auto destroy = [](Kioctx* ctx) { delete ctx; };
  std::unique_ptr<Kioctx, decltype(destroy)> ctx(new Kioctx(size_for(nr_events)));
  ctx->user_id = reinterpret_cast<std::uintptr_t>(ctx->ring_pages);
  if constexpr (S.percpu_refcount) ctx->users.get();
  if constexpr (S.table_lookup) {
    if (ctx->user_id >> kTableIndexShift != 0) throw std::bad_alloc();  // memory of no use to us
    if (!ctx->ioctx_add_table()) return nullptr;
  } else {
    ctx->hlist_add();
  }
  return ctx.release();
}

template <Stage S>
void Kioctx<S>::hlist_add() {
  if constexpr (!S.table_lookup) {
    Mm<S>& process = *this->mm;
    const SpinLockGuard guard(process.ioctx_lock, LockSite::kIoctxLock);
    Kioctx* first = process.ioctx_list.load(std::memory_order_relaxed);
    this->list.next.store(first, std::memory_order_relaxed);
    this->list.pprev = &process.ioctx_list;
    if (first != nullptr) first->list.pprev = &this->list.next;
    process.ioctx_list.store(this, std::memory_order_release);  // pairs with lookup_in_list
  }
}

// Leaves `next` for those who are walking over this context.
template <Stage S>
void Kioctx<S>::hlist_del() {
  if constexpr (!S.table_lookup) {
    Kioctx* next = this->list.next.load(std::memory_order_relaxed);
    if (next != nullptr) next->list.pprev = this->list.pprev;
    this->list.pprev->store(next, std::memory_order_release);  // pairs with lookup_in_list
  }
}

// Takes the first free place; false: there is none. A table that is full is copied into one four
// times its size; who reads the old one meanwhile finds all but the newest context in it. It is
// kept: all old ones together are a third of the new one.
template <Stage S>
bool Kioctx<S>::ioctx_add_table() {
  using Table = IoctxTable<Kioctx>;
  Mm<S>& process = *this->mm;
  const SpinLockGuard guard(process.ioctx_lock, LockSite::kIoctxLock);
  Table* table = process.ioctx_table.load(std::memory_order_relaxed);
  std::uint32_t at = 0;
  const std::uint32_t nr = table == nullptr ? 0 : table->nr;
  while (at < nr && table->contexts[at].load(std::memory_order_relaxed) != nullptr) ++at;
  if (at == kTableSizeMost) return false;
  this->user_id |= std::uint64_t{at} << kTableIndexShift;
  if (at < nr) {
    table->contexts[at].store(this, std::memory_order_release);  // pairs with lookup_in_table
    return true;
  }
  auto grown = std::make_unique<Table>(std::max(4u, nr * 4), table);
  for (std::uint32_t i = 0; i < nr; ++i) {
    grown->contexts[i].store(table->contexts[i].load(std::memory_order_relaxed),
                             std::memory_order_relaxed);
  }
  grown->contexts[at].store(this, std::memory_order_relaxed);
  process.ioctx_table.store(grown.release(), std::memory_order_release);  // pairs: lookup_in_table
  return true;
}

template <Stage S>
Kioctx<S>* Kioctx<S>::lookup_in_list(AioContextId id) {
  Kioctx* ctx = current_mm<S>.ioctx_list.load(std::memory_order_acquire);  // pairs with hlist_*
  while (ctx != nullptr && ctx->user_id != id) {
    ctx = ctx->list.next.load(std::memory_order_acquire);  // pairs with hlist_*
  }
  return ctx;
}

template <Stage S>
Kioctx<S>* Kioctx<S>::lookup_in_table(AioContextId id) {
  const auto* table = current_mm<S>.ioctx_table.load(std::memory_order_acquire);  // pairs: add
  const std::uint64_t at = id >> kTableIndexShift;
  if (table == nullptr || at >= table->nr) return nullptr;
  Kioctx* ctx = table->contexts[at].load(std::memory_order_acquire);  // pairs: ioctx_add_table
  return ctx != nullptr && ctx->user_id == id ? ctx : nullptr;
}

// Until refcounting, a dead context or one whose last user is gone is still found, and is refused.
// Then, what is found in the list has its initial reference until the read section ends. In the
// table that is not so, and zero stays zero.
template <Stage S>
Kioctx<S>* Kioctx<S>::lookup_ioctx(AioContextId id) {
  const RcuReadGuard guard;
  if constexpr (S.table_lookup) {
    Kioctx* ctx = lookup_in_table(id);
    if (ctx == nullptr) return nullptr;
    schedule_point("lookup: found, no reference yet");
    if constexpr (S.mutation == Mutation::kGetOfTheDead) {
      ctx->users.get();
      return ctx;
    }
    return ctx->users.tryget_live() ? ctx : nullptr;
  } else {
    Kioctx* ctx = lookup_in_list(id);
    if (ctx == nullptr) return nullptr;
    schedule_point("lookup: found, no reference yet");
    if constexpr (S.mutation == Mutation::kMissingGet) return ctx;
    if constexpr (S.percpu_refcount) {
      ctx->users.get();
      return ctx;
    }
    if constexpr (!S.percpu_refcount) {
      if constexpr (S.refcounting) {
        ctx->users.fetch_add(1, std::memory_order_relaxed);
        count_shared_rmw();
        return ctx;
      }
      if (ctx->is_dead()) return nullptr;
      std::int32_t users = ctx->users.load(std::memory_order_relaxed);
      do {
        if (users == 0) return nullptr;
        count_shared_rmw();
      } while (!ctx->users.compare_exchange_weak(users, users + 1, std::memory_order_relaxed));
      return ctx;
    }
  }
}

template <Stage S>
void Kioctx<S>::put_ioctx() {
  if constexpr (S.percpu_refcount) {
    if (this->users.put()) free_ioctx();
  } else {
    // Release: what was done with the reference; acquire: what all others did, before the end.
    const bool last = this->users.fetch_sub(1, std::memory_order_acq_rel) == 1;
    count_shared_rmw();
    if (last) free_ioctx();
  }
}

// percpu-refcount asks the reference count, the other stages have a flag.
template <Stage S>
bool Kioctx<S>::is_dead() const {
  if constexpr (S.percpu_refcount && !S.table_lookup) {
    return this->users.state() == PercpuRef::State::kDead;
  } else {
    return this->dead.load(std::memory_order_relaxed) != 0;
  }
}

template <Stage S>
int Kioctx<S>::kill_ioctx([[maybe_unused]] std::atomic<std::uint32_t>& all_done) {
  if constexpr (S.table_lookup) {
    return kill_by_table(all_done);
  } else if constexpr (S.refcounting) {
    kill_by_refcount();
    return 0;
  } else {
    bool was_dead = false;
    {
      const SpinLockGuard guard(this->mm->ioctx_lock, LockSite::kIoctxLock);
      count_shared_rmw();
      was_dead = this->dead.exchange(1, std::memory_order_relaxed) != 0;
      if (!was_dead) hlist_del();
    }
    if (!was_dead) put_ioctx();
    kill_ctx();
    this->wait.wake_up_all();
    return 0;
  }
}

// refcounting: who drops the initial reference is decided by one exchange. A grace period after the
// context has left the list, who has found it there has a reference of his own.
template <Stage S>
void Kioctx<S>::kill_by_refcount() {
  if constexpr (S.percpu_refcount) {
    if (!this->users.kill()) return;
  } else {
    count_shared_rmw();
    if (this->dead.exchange(1, std::memory_order_relaxed) != 0) return;
  }
  {
    const SpinLockGuard guard(this->mm->ioctx_lock, LockSite::kIoctxLock);
    hlist_del();
  }
  synchronize_rcu();
  this->wait.wake_up_all();
  put_ioctx();
}

// mainline: no grace period is waited for by the caller of io_destroy(), but those in which the
// counters of users and of requests are folded.
template <Stage S>
int Kioctx<S>::kill_by_table(std::atomic<std::uint32_t>& all_done) {
  if constexpr (S.table_lookup) {
    {
      const SpinLockGuard guard(this->mm->ioctx_lock, LockSite::kIoctxLock);
      count_shared_rmw();
      if (this->dead.exchange(1, std::memory_order_relaxed) != 0) return -EINVAL;
      const auto* table = this->mm->ioctx_table.load(std::memory_order_relaxed);
      table->contexts[this->user_id >> kTableIndexShift].store(nullptr, std::memory_order_relaxed);
    }
    this->wait.wake_up_all();
    if constexpr (S.reqs_refcount) this->rq_wait = &all_done;
    if (this->users.kill()) put_ioctx();
  }
  return 0;
}

// Cancels what is listed: until lazy-cancel every request, each marked so that it posts no event;
// then those that can be. Needs ctx_lock, and lets go of it around each cancel function.
template <Stage S>
void Kioctx<S>::cancel_all() {
  while (!this->active_reqs.empty()) {
    auto& req = static_cast<Request&>(static_cast<ActiveNode&>(*this->active_reqs.get_next()));
    req.ActiveNode::remove();
    if constexpr (!S.lazy_cancel) {
      req.ki_flags.fetch_or(FlagFields::kCancelled, std::memory_order_relaxed);
    }
    IoEvent event;
    kiocb_cancel(req, &event);
  }
}

// Until refcounting: cancels all requests and sleeps until none is active.
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

// Events that nobody has reaped yet.
template <Stage S>
std::uint32_t Kioctx<S>::events_in_ring() const {
  if constexpr (S.percpu_rings) {
    return this->rings.count();
  } else {
    const std::uint32_t nr = this->nr_events;
    const std::uint32_t head = this->ring_pages->head.load(std::memory_order_relaxed) % nr;
    // Acquire: pairs with the producers.
    const std::uint32_t end = this->ring_pages->tail.load(std::memory_order_acquire) % nr;
    return (end + nr - head) % nr;
  }
}

// Requests whose event is still to come. From active-until-reaped on, an event in the ring is a
// slot that the teardown reaps in place of the user. A cancelled request has no event and gives its
// slot back itself.
template <Stage S>
std::int64_t Kioctx<S>::slots_in_flight() const {
  const std::int64_t unreaped = S.active_until_reaped ? events_in_ring() : 0;
  if constexpr (S.reqs_available) {
    // Acquire: pairs with put_slot_of_cancelled().
    const std::int64_t avail = this->reqs_available.load(std::memory_order_acquire);
    return std::int64_t{this->nr_events} - 1 - unreaped - avail;
  } else {
    // Acquire: pairs with put_slot_of_cancelled().
    return this->reqs_active.load(std::memory_order_acquire) - unreaped;
  }
}

// refcounting: nobody can get a slot or reap any more, and slots lent to CPUs are taken back first.
template <Stage S>
void Kioctx<S>::wait_for_all_slots() {
  if constexpr (S.percpu_reqs_available) {
    count_shared_rmw();
    this->reqs_available.fetch_add(percpu_fold(this->cpu), std::memory_order_relaxed);
  }
  WaitQueueEntry entry(true);
  for (;;) {
    this->wait.prepare_to_wait(entry, 0);
    if (slots_in_flight() <= 0) break;
    schedule_until(entry, kForever);
  }
  this->wait.finish_wait(entry);
}

// The last user is gone. Completions may still be looking at the wait queue, in a read section.
template <Stage S>
void Kioctx<S>::free_ioctx() {
  schedule_point("end: last user gone");
  if constexpr (S.refcounting) {
    this->ctx_lock.lock(LockSite::kCtxLockTeardown);
    cancel_all();
    this->ctx_lock.unlock();
    if constexpr (S.reqs_refcount) {
      this->reqs.kill();
      if (this->reqs.put()) free_ioctx_reqs();
    } else {
      wait_for_all_slots();
      call_rcu(rcu_head_, free_ioctx_rcu, this);
    }
  } else {
    if constexpr (!S.no_retry) this->wq.cancel_sync();
    call_rcu(rcu_head_, free_ioctx_rcu, this);
  }
}

// mainline: the last request is gone. The word is its waiter's, and may be gone when it is 1.
template <Stage S>
void Kioctx<S>::free_ioctx_reqs() {
  if constexpr (S.reqs_refcount) {
    std::atomic<std::uint32_t>* all_done = this->rq_wait;
    call_rcu(rcu_head_, free_ioctx_rcu, this);
    all_done->store(1, std::memory_order_release);  // pairs with io_destroy
    futex_wake(all_done, 1);
  }
}

template <Stage S>
void Kioctx<S>::free_ioctx_rcu(void* context) {
  delete static_cast<Kioctx*>(context);
}

}  // namespace aioscope::kioctx
