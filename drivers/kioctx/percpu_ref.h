// A reference count that becomes per-CPU when it is used much: the series' percpu_ref.
//
//   state   get, put                                    what put() can tell
//   NONE    one atomic                                  nothing: the initial reference is held
//   PTR     this CPU's counter, under rcu_read_lock     nothing: a counter knows no sum
//   DYING   the atomic; counters are being summed       nothing: the sum is incomplete
//   DEAD    the atomic                                  whether it was the last
//
// Invariant: references == low 50 bits of `count_` + sum of the counters, at every moment; in DEAD
// there are no counters. Zero can only be reached in DEAD, since the initial reference is dropped
// by whoever called kill(), afterwards.
//
// Kill, from PTR: state = DYING; grace period; count_ += sum; state = DEAD. A get or put that saw
// PTR is in a read section that began before DYING, so the grace period ends after it and the sum
// has it. One that comes later sees DYING and uses the atomic. A put in DYING does not test for
// zero, and does not need to: the killer's own put comes after DEAD. A put that finds zero has read
// a value that the killer's put wrote (both are read-modify-writes of count_), so it sees DEAD when
// it reads the state AFTER its decrement; the state is therefore read again there.
//
// NONE becomes PTR when the 14-bit get counter in the high bits of count_ wraps (every 16384 gets)
// within a second of its last wrap. Today's kernel has no NONE: its counts begin in PTR.
#pragma once

#include <atomic>
#include <cstdint>

#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/rcu.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

class PercpuRef {
 public:
  enum class State : std::uintptr_t { kPtr = 0, kNone = 1, kDying = 2, kDead = 3 };

  // Holds the initial reference; state NONE, or PTR. The latter throws std::bad_alloc.
  explicit PercpuRef(State begins_in = State::kNone);
  ~PercpuRef();  // must be DEAD, or not shared with any thread
  PercpuRef(const PercpuRef&) = delete;
  PercpuRef& operator=(const PercpuRef&) = delete;

  // The caller knows that a reference is held, be it that the initial one cannot be dropped before
  // the end of its RCU read section. Allocates once, at the change to PTR.
  void get();

  // The same for a caller who knows only that the memory is there: nothing is taken, and false
  // returned, once kill() has been called.
  bool tryget_live();

  // Returns true for the last reference; only ever after kill().
  bool put();

  // Ends the use of counters. Returns true for the first caller only, who then owns the initial
  // reference and must put() it. Waits for a grace period: not inside a read section.
  bool kill();

  State state() const { return state_of(pcpu_count_.load(std::memory_order_relaxed)); }

 private:
  static constexpr unsigned kCountBits = 50;
  static constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;
  static constexpr std::uint64_t kOneGet = 1 + (std::uint64_t{1} << kCountBits);
  static constexpr std::uintptr_t kStateMask = 3;
  static constexpr unsigned kStateBits = 2;

  static State state_of(std::uintptr_t word) { return State(word & kStateMask); }
  static PercpuSlot* slots_of(std::uintptr_t word) { return reinterpret_cast<PercpuSlot*>(word); }
  static std::uintptr_t word_of_now();
  void get_counter_wrapped(std::uintptr_t word);

  std::atomic<std::uint64_t> count_{1};
  // State in the low 2 bits; the rest is the counters' address (PTR) or the time of the last wrap
  // in milliseconds (NONE).
  std::atomic<std::uintptr_t> pcpu_count_;
};

inline void PercpuRef::get() {
  const RcuReadGuard guard;
  const std::uintptr_t word =
      pcpu_count_.load(std::memory_order_acquire);  // pairs: counters' birth
  if (state_of(word) == State::kPtr) [[likely]] {
    schedule_point("ref: counters seen, not used");
    percpu_add(slots_of(word), 1);
    return;
  }
  schedule_point("ref: atomic to be raised");
  count_shared_rmw();
  const std::uint64_t count = count_.fetch_add(kOneGet, std::memory_order_relaxed) + kOneGet;
  if (state_of(word) == State::kNone && (count >> kCountBits) == 0) get_counter_wrapped(word);
}

// Who saw NONE may find that kill() came in between, and the last put() too: zero stays zero.
inline bool PercpuRef::tryget_live() {
  const RcuReadGuard guard;
  const std::uintptr_t word = pcpu_count_.load(std::memory_order_acquire);  // pairs: as in get()
  if (state_of(word) == State::kPtr) [[likely]] {
    schedule_point("ref: counters seen, not used");
    percpu_add(slots_of(word), 1);
    return true;
  }
  if (state_of(word) != State::kNone) return false;
  std::uint64_t count = count_.load(std::memory_order_relaxed);
  do {
    if ((count & kCountMask) == 0) return false;
    count_shared_rmw();
  } while (!count_.compare_exchange_weak(count, count + kOneGet, std::memory_order_relaxed));
  if (((count + kOneGet) >> kCountBits) == 0) get_counter_wrapped(word);
  return true;
}

inline bool PercpuRef::put() {
  std::uintptr_t word = 0;
  {
    const RcuReadGuard guard;
    word = pcpu_count_.load(std::memory_order_acquire);  // pairs: as in get()
    if (state_of(word) == State::kPtr) [[likely]] {
      schedule_point("ref: counters seen, not used");
      percpu_add(slots_of(word), std::uint32_t(-1));
      return false;
    }
  }
  schedule_point("ref: atomic to be lowered");
  count_shared_rmw();
  // Release: what was done with the reference; acquire: what all others did, and DEAD (see above).
  const std::uint64_t left = (count_.fetch_sub(1, std::memory_order_acq_rel) - 1) & kCountMask;
  if (mutated(PartMutation::kRefStateReadBefore))
    return left == 0 && state_of(word) == State::kDead;
  if (mutated(PartMutation::kRefZeroWhileDying)) return left == 0;
  return left == 0 && state() == State::kDead;
}

}  // namespace aioscope::kioctx
