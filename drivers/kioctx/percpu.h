// 32-bit counters, one per CPU, each on a cacheline of its own.
//
// The kernel updates such a counter with preemption disabled. Here, where glibc has registered
// restartable sequences (rseq), an update is a few instructions that end in one store, and the
// kernel restarts them if the thread is preempted, migrated or signalled before that store: no
// atomic instruction, no shared line. Elsewhere it is an atomic on the slot of the CPU the thread
// was on a moment ago; then a slot may be written from two CPUs, which costs time but loses
// nothing.
//
// Which of the two is decided once per process. They are never mixed.
#pragma once

#include <atomic>
#include <cstdint>

#include "drivers/kioctx/cacheline.h"

namespace aioscope::kioctx {

struct alignas(kCacheline) PercpuSlot {
  std::atomic<std::uint32_t> value{0};
};
static_assert(sizeof(PercpuSlot) == 64, "the rseq sequences shift the CPU number left by 6");

// CPUs that can ever be present, as the kernel's num_possible_cpus(); read once from sysfs.
unsigned num_possible_cpus();

// The highest CPU number that can ever be, + 1: what a table by CPU number needs.
unsigned num_cpu_ids();

// Whether counters are updated by rseq rather than by atomics.
bool percpu_uses_rseq();

// All zero. Throws std::bad_alloc.
PercpuSlot* alloc_percpu();
void free_percpu(PercpuSlot* slots);

// This CPU's counter += value; wraps.
void percpu_add(PercpuSlot* slots, std::uint32_t value);

// This CPU's counter -= 1 unless it is 0. Returns whether it was done.
bool percpu_take_one(PercpuSlot* slots);

// This CPU's counter += value, and then -= batch for as long as it is 2 * batch or more. Returns
// the sum of what was taken off, which is the caller's now.
std::uint32_t percpu_add_and_drain(PercpuSlot* slots, std::uint32_t value, std::uint32_t batch);

// Sum of all counters, wrapping. Exact only while nobody updates them.
std::uint32_t percpu_sum(const PercpuSlot* slots);

// The same, and sets them to 0.
std::uint32_t percpu_fold(PercpuSlot* slots);

}  // namespace aioscope::kioctx

#include "drivers/kioctx/percpu_inline.h"  // IWYU pragma: export
