// A completion ring for each CPU, in one context: completions write to no line that another CPU
// writes.
//
//   CPU 0  [ tail | lock ] [ head ] [ event event ... ]     producers of CPU 0 | reapers | events
//   CPU 1  [ tail | lock ] [ head ] [ event event ... ]
//
// A producer writes its events behind the tail of the CPU that it runs on and commits by one store
// of that tail, the last instruction of a restartable sequence: if the thread is preempted,
// migrated or signalled before it, the kernel starts it over, on the CPU it is on by then. What it
// had written lies behind the tail, where nobody reads, and is overwritten by the next. Without
// rseq a lock of the ring's does the same.
//
// Reapers take turns by the context's ring_lock, which guards the heads.
//
//   producer: events, then tail (release) ->  reaper: tail (acquire), then events
//   reaper: event read, then its slot put ->  producer: slot got, then event
//
// Invariant: tail - head <= events in the ring that hold a slot <= slots of the context < entries.
// So a ring that can hold them all never overruns, and a producer need not look at the head. tail
// and head count on, modulo 2^32.
//
// Order: events that one CPU posts come in the order in which they were posted. Between CPUs there
// is none, as asynchronous I/O never promised one: a reaper looks at the rings in turn.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "drivers/kioctx/cacheline.h"
#include "drivers/kioctx/kioctx.h"
#include "drivers/kioctx/spin_lock.h"

namespace aioscope::kioctx {

// All of an event that differs from request to request: four to a line, for what a completion
// costs here is the way of its line from one CPU to another.
struct CpuEvent {
  std::uint64_t data;  // neither is set by itself: a batch of them is made for every io_submit()
  std::int64_t res;
};
static_assert(std::is_trivially_default_constructible_v<CpuEvent>);

struct CpuRing {
  std::atomic<std::uint32_t> tail{0};                      // written by producers on this CPU
  SpinLock lock;                                           // they take turns by it without rseq
  alignas(kCacheline) std::atomic<std::uint32_t> head{0};  // written by reapers
  alignas(kCacheline) CpuEvent events[1];                  // as many as there are entries

  // Events that nobody has reaped yet, as of a moment ago.
  std::uint32_t available() const {
    // Acquire: the tail that the reaper saw, so that this is never below 0. Pairs with pop_from.
    const std::uint32_t from = head.load(std::memory_order_acquire);
    return tail.load(std::memory_order_relaxed) - from;
  }
};
static_assert(offsetof(CpuRing, tail) == 0, "the rseq sequence commits to the first word");

// Events that a thread has for the ring of its CPU, to be posted together.
class EventBatch {
 public:
  EventBatch() {}  // NOLINT(modernize-use-equals-default): without writing to all of it

  void add(const CpuEvent& event) { events_[count_++] = event; }  // not when it is full
  bool full() const { return count_ == events_.size(); }
  bool empty() const { return count_ == 0; }
  std::span<const CpuEvent> events() const { return std::span(events_).first(count_); }
  void clear() { count_ = 0; }

 private:
  std::uint32_t count_ = 0;
  std::array<CpuEvent, 32> events_;
};

class CpuRings {
 public:
  CpuRings() = default;
  CpuRings(const CpuRings&) = delete;
  CpuRings& operator=(const CpuRings&) = delete;
  ~CpuRings();

  // Rings that hold `slots` events each. Once, before any other call. Throws std::bad_alloc.
  void init(std::uint32_t slots);

  // Posts the events, at least one, to the ring of this CPU in their order, all by one store of its
  // tail, and returns that ring. The caller holds a slot for each. Thread-safe. Reads no line that
  // reapers write.
  const CpuRing* push(std::span<const CpuEvent> events);

  // Moves up to out.size() events to the front of `out`, beginning at another ring each time and
  // from no ring more than its share while others have some. Returns their number. One reaper at a
  // time.
  std::uint32_t pop(std::span<IoEvent> out);

  // Events in all rings: exact only while nobody posts.
  std::uint32_t count() const;

  // Rings: one for each CPU that can ever be.
  std::uint32_t rings() const { return rings_; }

 private:
  CpuRing& ring(std::uint32_t cpu) const {
    return *reinterpret_cast<CpuRing*>(base_ + std::size_t{cpu} * stride_);
  }
  const CpuRing* push_locked(std::span<const CpuEvent> events);
  const CpuRing* post(CpuRing& at, std::span<const CpuEvent> events) const;  // needs its lock
  std::uint32_t pop_from(CpuRing& ring, std::span<IoEvent> out) const;

  std::byte* base_ = nullptr;
  std::uint64_t stride_ = 0;  // bytes from ring to ring
  std::uint32_t mask_ = 0;    // entries of a ring - 1; entries are a power of two
  std::uint32_t rings_ = 0;
  std::uint32_t next_ = 0;  // the ring that the next pop() begins at; guarded as the heads are
};

}  // namespace aioscope::kioctx
