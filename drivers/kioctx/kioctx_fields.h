// The fields of a context, and on which cachelines they lie: the two layouts of the series. A few
// fields are only here so that the others lie where they lay.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "drivers/kioctx/cacheline.h"
#include "drivers/kioctx/delayed_work.h"
#include "drivers/kioctx/list.h"
#include "drivers/kioctx/percpu_ref.h"
#include "drivers/kioctx/ring.h"
#include "drivers/kioctx/spin_lock.h"
#include "drivers/kioctx/wait_queue.h"

namespace aioscope::kioctx {

// A place in the process's list of contexts: walked under RCU, changed under the list's lock.
template <class Context>
struct HlistNode {
  std::atomic<Context*> next{nullptr};
  std::atomic<Context*>* pprev = nullptr;
};

// v3.7, in the kernel's order and without any alignment inside: what submitters, completions and
// reapers write lies on the same three lines, and on the lines that the lookup reads.
template <class Context, class Process>
struct alignas(kCacheline) PackedFields {
  PackedFields(Process& process, const RingSize& size)
      : mm(&process),
        max_reqs(size.nr_events),
        mmap_base(alloc_ring(size)),
        mmap_size(std::uint64_t{size.nr_pages} * kPageSize),
        ring_pages(mmap_base),
        nr_pages(size.nr_pages),
        nr_events(size.nr_events) {}

  // Line 0.
  std::atomic<std::int32_t> users{2};  // the list's and the caller's of io_setup()
  std::atomic<std::int32_t> dead{0};
  Process* mm;
  std::uint64_t user_id = 0;
  HlistNode<Context> list;
  WaitQueueHead wait;

  // Line 1.
  SpinLock ctx_lock;
  std::int32_t reqs_active = 0;  // guarded by ctx_lock
  ListHead active_reqs;          // guarded by ctx_lock
  ListHead run_list;             // guarded by ctx_lock
  std::uint32_t max_reqs;
  AioRing* mmap_base;
  std::uint64_t mmap_size;

  // Line 2.
  AioRing* ring_pages;
  SpinLock ring_lock;
  std::uint64_t nr_pages;
  std::uint32_t nr_events;
  std::uint32_t tail = 0;  // guarded by ctx_lock

  DelayedWork wq{Context::aio_kick_handler, static_cast<Context*>(this)};
};

// The series: what everybody reads first, then a group for each kind of writer.
template <class Context, class Process>
struct alignas(kCacheline) OwnCachelineFields {
  OwnCachelineFields(Process& process, const RingSize& size)
      : cpu(alloc_percpu()),
        mm(&process),
        max_reqs(size.nr_events),
        nr_events(size.nr_events),
        req_batch(size.req_batch),
        mmap_size(std::uint64_t{size.nr_pages} * kPageSize),
        ring_pages(alloc_ring(size)),
        nr_pages(size.nr_pages) {
    reqs_available.store(size.slots(), std::memory_order_relaxed);
  }
  ~OwnCachelineFields() { free_percpu(cpu); }

  // Read by all, written at set-up and teardown, and in the first 16384 calls by `users`.
  PercpuRef users;
  PercpuSlot* cpu;  // slots lent to each CPU
  Process* mm;
  std::uint64_t user_id = 0;
  HlistNode<Context> list;
  std::uint32_t max_reqs;
  std::uint32_t nr_events;
  std::uint32_t req_batch;
  std::uint64_t mmap_size;
  AioRing* ring_pages;
  std::uint64_t nr_pages;

  // Written once per req_batch requests, by submitters and reapers.
  alignas(kCacheline) std::atomic<std::uint32_t> reqs_available;

  // Written for requests that can be cancelled.
  alignas(kCacheline) SpinLock ctx_lock;
  ListHead active_reqs;  // guarded by ctx_lock

  // Written by reapers. As in the series, completions read `wait` from the line of the reapers'
  // mutex.
  alignas(kCacheline) SpinLock ring_lock;
  WaitQueueHead wait;

  // Written by completions.
  alignas(kCacheline) std::atomic<std::uint32_t> tail{0};  // or kTailLocked
  std::atomic<std::uint32_t> tail_parked{0};  // completions sleep until the tail is unlocked
};

}  // namespace aioscope::kioctx
