#include "drivers/kioctx/cpu_ring.h"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <new>

#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/reqs_available.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

void CpuRings::init(std::uint32_t slots) {
  const std::uint32_t entries = std::bit_ceil(slots);
  mask_ = entries - 1;
  rings_ = num_cpu_ids();
  const std::size_t bytes = offsetof(CpuRing, events) + sizeof(CpuEvent) * std::size_t{entries};
  stride_ = (bytes + kPageSize - 1) / kPageSize * kPageSize;
  base_ = static_cast<std::byte*>(::operator new (stride_* rings_, std::align_val_t{kPageSize}));
  for (std::uint32_t cpu = 0; cpu < rings_; ++cpu) ::new (base_ + cpu * stride_) CpuRing;
}

CpuRings::~CpuRings() { ::operator delete (base_, std::align_val_t{kPageSize}); }

const CpuRing* CpuRings::push(std::span<const CpuEvent> events) {
  if (mutated(PartMutation::kPercpuInterrupted)) {
    return post(ring(std::uint32_t(sched_getcpu())), events);
  }
  if (!percpu_uses_rseq()) return push_locked(events);
  return percpu_detail::rseq_push<CpuRing, CpuEvent>(base_, stride_, mask_, events);
}

const CpuRing* CpuRings::push_locked(std::span<const CpuEvent> events) {
  CpuRing& at = ring(std::uint32_t(sched_getcpu()));
  const SpinLockGuard guard(at.lock, LockSite::kCpuRing);
  return post(at, events);
}

const CpuRing* CpuRings::post(CpuRing& at, std::span<const CpuEvent> events) const {
  std::uint32_t end = at.tail.load(std::memory_order_relaxed);
  for (const CpuEvent& event : events) {
    (&at.events[0])[end++ & mask_] = event;
    schedule_point("cpu ring: event written, tail not");
  }
  at.tail.store(end, std::memory_order_release);  // pairs with pop_from
  return &at;
}

std::uint32_t CpuRings::pop_from(CpuRing& ring, std::span<IoEvent> out) const {
  std::uint32_t head = ring.head.load(std::memory_order_relaxed);
  // Acquire: the events. Pairs with push().
  const std::uint32_t available = ring.tail.load(std::memory_order_acquire) - head;
  const auto count = std::min(available, std::uint32_t(out.size()));
  for (std::uint32_t i = 0; i < count; ++i) {
    const CpuEvent& event = (&ring.events[0])[head++ & mask_];
    out[i] = {.data = event.data, .obj = event.data, .res = event.res, .res2 = 0};
  }
  // Release: the tail was read. Pairs with available(); the rest is ordered by slots.
  if (count > 0) ring.head.store(head, std::memory_order_release);
  return count;
}

std::uint32_t CpuRings::pop(std::span<IoEvent> out) {
  const std::size_t share = std::max<std::size_t>(out.size() / rings_, 1);
  std::uint32_t count = 0;
  // First each ring's share, then what remains of the room to whoever has more.
  for (int pass = 0; pass < 2 && count < out.size(); ++pass) {
    for (std::uint32_t i = 0; i < rings_ && count < out.size(); ++i) {
      const std::span<IoEvent> room = out.subspan(count);
      count += pop_from(ring((next_ + i) % rings_),
                        pass == 0 ? room.first(std::min(share, room.size())) : room);
    }
  }
  next_ = (next_ + 1) % rings_;
  return count;
}

std::uint32_t CpuRings::count() const {
  std::uint32_t sum = 0;
  for (std::uint32_t cpu = 0; cpu < rings_; ++cpu) {
    const CpuRing& at = ring(cpu);
    // Acquire: the events. Pairs with push().
    sum += at.tail.load(std::memory_order_acquire) - at.head.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace aioscope::kioctx
