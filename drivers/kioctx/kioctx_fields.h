// The fields of a context, and on which cachelines they lie: the three layouts of the series.
//
// Fields that a stage does not have are empty and take no place. A few are only here so that the
// others lie where they lay.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "drivers/kioctx/cacheline.h"
#include "drivers/kioctx/cpu_ring.h"
#include "drivers/kioctx/delayed_work.h"
#include "drivers/kioctx/list.h"
#include "drivers/kioctx/percpu_ref.h"
#include "drivers/kioctx/ring.h"
#include "drivers/kioctx/spin_lock.h"
#include "drivers/kioctx/stage.h"
#include "drivers/kioctx/wait_queue.h"

namespace aioscope::kioctx {

template <Stage S>
class Kioctx;
template <Stage S>
struct Mm;

// The type of a field that a stage does not have; kWhich keeps two of them at one address.
template <int kWhich>
struct Absent {};
template <bool kPresent, class T, int kWhich>
using Field = std::conditional_t<kPresent, T, Absent<kWhich>>;

// A place in the process's list of contexts: walked under RCU, changed under the list's lock.
template <class Context>
struct HlistNode {
  std::atomic<Context*> next{nullptr};
  std::atomic<Context*>* pprev = nullptr;
};

// The list's reference and the caller's of io_setup().
struct AtomicUsers : std::atomic<std::int32_t> {
  AtomicUsers() : std::atomic<std::int32_t>(2) {}
};
// As they were merged: per CPU from birth.
struct BornPercpuRef : PercpuRef {
  BornPercpuRef() : PercpuRef(State::kPtr) {}
};
// The bug of baf10564fbb6 needs a count whose end no look-up holds up: the kernel's kill waited for
// the other kind of RCU.
template <Stage S>
using MainlineRef =
    std::conditional_t<S.mutation == Mutation::kGetOfTheDead, PercpuRef, BornPercpuRef>;
template <Stage S>
using Users = std::conditional_t<S.table_lookup, MainlineRef<S>,
                                 std::conditional_t<S.percpu_refcount, PercpuRef, AtomicUsers>>;

// Slots taken; guarded by ctx_lock until lockless-put.
template <Stage S>
using ReqsActive = std::conditional_t<S.lockless_put, std::atomic<std::int32_t>, std::int32_t>;

// The index behind the newest event. In xchg-tail it is kTailLocked while a completion has it,
// before that it is guarded by the completions' lock.
template <Stage S>
using Tail = std::conditional_t<S.xchg_tail, std::atomic<std::uint32_t>, std::uint32_t>;

// v3.7 to no-batch-alloc, in the kernel's order and without any alignment inside: what submitters,
// completions and reapers write lies on the same three lines, and on the lines that the lookup
// reads.
template <Stage S>
struct alignas(kCacheline) PackedFields {
  // Line 0.
  Users<S> users;
  std::atomic<std::int32_t> dead{0};
  Mm<S>* mm = nullptr;
  std::uint64_t user_id = 0;
  HlistNode<Kioctx<S>> list;
  WaitQueueHead wait;

  // Line 1.
  SpinLock ctx_lock;
  ReqsActive<S> reqs_active{0};
  ListHead active_reqs;                                              // guarded by ctx_lock
  [[no_unique_address]] Field<!S.no_retry, ListHead, 0> run_list{};  // guarded by ctx_lock
  std::uint32_t max_reqs = 0;
  AioRing* mmap_base = nullptr;
  std::uint64_t mmap_size = 0;

  // Line 2.
  AioRing* ring_pages = nullptr;
  SpinLock ring_lock;
  std::uint64_t nr_pages = 0;
  std::uint32_t nr_events = 0;
  std::uint32_t tail = 0;  // guarded by ctx_lock, since lazy-cancel by completion_lock
  [[no_unique_address]] Field<S.lazy_cancel, SpinLock, 1> completion_lock{};

  [[no_unique_address]] Field<!S.no_retry, DelayedWork, 2> wq{};
};

// flat-ring: the reapers' lock and what completions write leave the line that all read.
template <Stage S>
struct alignas(kCacheline) FlatFields {
  Users<S> users;
  std::atomic<std::int32_t> dead{0};
  Mm<S>* mm = nullptr;
  std::uint64_t user_id = 0;
  HlistNode<Kioctx<S>> list;
  WaitQueueHead wait;

  SpinLock ctx_lock;
  [[no_unique_address]] Field<!S.reqs_available, ReqsActive<S>, 0> reqs_active{};
  [[no_unique_address]] Field<S.reqs_available, std::atomic<std::uint32_t>, 1> reqs_available{};
  ListHead active_reqs;  // guarded by ctx_lock
  std::uint32_t max_reqs = 0;
  std::uint32_t nr_events = 0;
  std::uint64_t mmap_size = 0;
  AioRing* ring_pages = nullptr;
  std::uint64_t nr_pages = 0;
  [[no_unique_address]] Field<S.percpu_reqs_available, PercpuSlot*, 2> cpu{};
  [[no_unique_address]] Field<S.percpu_reqs_available, std::uint32_t, 3> req_batch{};

  // Written by reapers.
  alignas(kCacheline) SpinLock ring_lock;

  // Written by completions.
  alignas(kCacheline) Tail<S> tail{0};
  [[no_unique_address]] Field<S.xchg_tail, std::atomic<std::uint32_t>, 4> tail_parked{};
  [[no_unique_address]] Field<!S.xchg_tail, SpinLock, 5> completion_lock{};
};

// own-cachelines: what everybody reads first, then a group for each kind of writer.
template <Stage S>
struct alignas(kCacheline) OwnCachelineFields {
  // Read by all, written at set-up and teardown, and by `users` until it counts per CPU.
  Users<S> users;
  [[no_unique_address]] Field<S.percpu_reqs_available, PercpuSlot*, 0> cpu{};  // lent to each CPU
  Mm<S>* mm = nullptr;
  std::uint64_t user_id = 0;
  [[no_unique_address]] Field<!S.table_lookup, HlistNode<Kioctx<S>>, 1> list{};
  std::uint32_t max_reqs = 0;
  std::uint32_t nr_events = 0;
  [[no_unique_address]] Field<S.percpu_reqs_available, std::uint32_t, 2> req_batch{};
  std::atomic<std::int32_t> dead{0};
  std::uint64_t mmap_size = 0;
  AioRing* ring_pages = nullptr;
  std::uint64_t nr_pages = 0;
  [[no_unique_address]] Field<S.percpu_rings, CpuRings, 3> rings{};
  [[no_unique_address]] Field<S.reqs_refcount, MainlineRef<S>, 4> reqs{};
  // The end of a context waits for its requests on this word, which is the caller's.
  [[no_unique_address]] Field<S.reqs_refcount, std::atomic<std::uint32_t>*, 5> rq_wait{};

  // Written once per request; since percpu-reqs-available once per req_batch requests.
  alignas(kCacheline) Field<!S.reqs_available, ReqsActive<S>, 6> reqs_active{};
  [[no_unique_address]] Field<S.reqs_available, std::atomic<std::uint32_t>, 7> reqs_available{};

  // Written for requests that can be cancelled.
  alignas(kCacheline) SpinLock ctx_lock;
  ListHead active_reqs;  // guarded by ctx_lock

  // Written by reapers. As in the series, completions read `wait` from the line of the reapers'
  // mutex; in percpu-rings it has a line of its own.
  alignas(kCacheline) SpinLock ring_lock;
  alignas(S.percpu_rings ? kCacheline : alignof(WaitQueueHead))
      std::conditional_t<S.percpu_rings, MinWaitQueueHead, WaitQueueHead> wait;

  // Written by completions; not in percpu-rings.
  alignas(kCacheline) Field<!S.percpu_rings, Tail<S>, 8> tail{};
  [[no_unique_address]] Field<S.xchg_tail, std::atomic<std::uint32_t>, 9> tail_parked{};
  [[no_unique_address]] Field<!S.xchg_tail && !S.percpu_rings, SpinLock, 10> completion_lock{};
  // Events posted whose slots have not come back. Written under completion_lock.
  [[no_unique_address]] Field<S.slots_at_completion, std::atomic<std::uint32_t>, 11>
      completed_events{};
};

template <Stage S>
using KioctxFields =
    std::conditional_t<S.own_cachelines, OwnCachelineFields<S>,
                       std::conditional_t<S.flat_ring, FlatFields<S>, PackedFields<S>>>;

}  // namespace aioscope::kioctx
