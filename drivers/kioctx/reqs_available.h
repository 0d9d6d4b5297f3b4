// The slots of a completion ring, counted per CPU: the series' percpu reqs_available.
//
// A slot is a right to one event in the ring. All slots are interchangeable, so that they are a
// number. Invariant: global + sum of the per-CPU counters + slots held by requests and by threads
// inside get() and put() == total, with every term >= 0; hence never more events than the ring has
// room for.
//
//   get    take one of this CPU; when it has none, borrow `req_batch` from the global number, all
//   or
//          nothing. Nothing is taken from other CPUs: get can fail although they have slots.
//   put(n) give n to this CPU; when it has 2 * req_batch or more, return batches to the global
//   number.
//
// Other CPUs strand at most (CPUs - 1) * (2 * req_batch - 1) slots and the global number less than
// req_batch, together under half of the total. That is why the ring is made twice as big as asked
// for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

inline constexpr std::uint32_t kPageSize = 4096;
inline constexpr std::uint32_t kRingHeaderBytes = 32;
inline constexpr std::uint32_t kIoEventBytes = 32;

// What io_setup makes of the number of events that it was asked for.
struct RingSize {
  std::uint32_t nr_pages = 0;
  std::uint32_t nr_events = 0;  // entries of the ring; one is never used
  std::uint32_t req_batch = 0;  // slots borrowed by a CPU at a time; 0: not counted per CPU

  constexpr std::uint32_t slots() const { return nr_events - 1; }
};

// Two more entries than asked for, rounded up to whole pages.
constexpr RingSize ring_size(std::uint32_t requested) {
  const std::uint64_t bytes =
      kRingHeaderBytes + std::uint64_t{kIoEventBytes} * (std::uint64_t{requested} + 2);
  const auto pages = std::uint32_t((bytes + kPageSize - 1) / kPageSize);
  return {pages,
          std::uint32_t((std::uint64_t{pages} * kPageSize - kRingHeaderBytes) / kIoEventBytes)};
}

// The same for slots counted per CPU: twice what was asked for, and four times two per CPU at
// least.
constexpr RingSize ring_size_percpu(std::uint32_t requested, std::uint32_t possible_cpus) {
  RingSize size = ring_size(std::max(requested, 4 * possible_cpus) * 2);
  size.req_batch = std::max(1u, size.slots() / (4 * possible_cpus));
  return size;
}

// cpu: the per-CPU counters. global: the number not lent to any CPU, alone on its cacheline since
// every CPU borrows from it. Thread-safe.
inline void put_reqs_available(PercpuSlot* cpu, std::atomic<std::uint32_t>& global,
                               std::uint32_t req_batch, std::uint32_t count) {
  const std::uint32_t returned = percpu_add_and_drain(cpu, count, req_batch);
  // Release: the events were read before their slots can be got again.
  if (returned == 0) return;
  count_shared_rmw();
  global.fetch_add(returned, std::memory_order_release);  // pairs: get_reqs_available
}

inline bool get_reqs_available(PercpuSlot* cpu, std::atomic<std::uint32_t>& global,
                               std::uint32_t req_batch) {
  if (percpu_take_one(cpu)) return true;
  schedule_point("slots: none here, not yet borrowed");
  std::uint32_t avail = global.load(std::memory_order_relaxed);
  do {
    if (avail < req_batch) return false;
    count_shared_rmw();
  } while (!global.compare_exchange_weak(avail, avail - req_batch, std::memory_order_acquire,
                                         std::memory_order_relaxed));  // pairs: put_reqs_available
  // One is taken at once. The others go to the CPU this thread is on by now, which may have some:
  // the kernel, which cannot be preempted here, gives them to the CPU that had none.
  put_reqs_available(cpu, global, req_batch, req_batch - 1);
  return true;
}

}  // namespace aioscope::kioctx
