#include "drivers/kioctx/percpu_ref.h"

#include <ctime>
#include <new>

namespace aioscope::kioctx {
namespace {

constexpr std::uintptr_t kWrapWithinMs = 1000;

std::uintptr_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::uintptr_t(now.tv_sec) * 1000 + std::uintptr_t(now.tv_nsec) / 1'000'000;
}

}  // namespace

std::uintptr_t PercpuRef::word_of_now() {
  return (now_ms() << kStateBits) | std::uintptr_t(State::kNone);
}

PercpuRef::PercpuRef(State begins_in)
    : pcpu_count_(begins_in == State::kPtr ? reinterpret_cast<std::uintptr_t>(alloc_percpu())
                                           : word_of_now()) {}

PercpuRef::~PercpuRef() {
  const std::uintptr_t word = pcpu_count_.load(std::memory_order_relaxed);
  if (state_of(word) == State::kPtr) free_percpu(slots_of(word));
}

// The kernel leaves the read section to allocate, since that may sleep; here a read section may.
// Losing the exchange means that somebody else made counters, noted the time, or killed: all fine.
void PercpuRef::get_counter_wrapped(std::uintptr_t word) {
  count_shared_rmw();  // one of the two exchanges
  const std::uintptr_t now = word_of_now();
  if ((now >> kStateBits) - (word >> kStateBits) > kWrapWithinMs) {
    pcpu_count_.compare_exchange_strong(word, now, std::memory_order_relaxed);
    return;
  }
  PercpuSlot* slots = nullptr;
  try {
    slots = alloc_percpu();
  } catch (const std::bad_alloc&) {
    return;  // it goes on as it is, and tries again in as many gets
  }
  // Release: the zeroed counters; pairs with the loads in get() and put().
  if (!pcpu_count_.compare_exchange_strong(word, reinterpret_cast<std::uintptr_t>(slots),
                                           std::memory_order_release, std::memory_order_relaxed)) {
    free_percpu(slots);
  }
}

bool PercpuRef::kill() {
  std::uintptr_t word = pcpu_count_.load(std::memory_order_acquire);  // pairs: counters' birth
  for (;;) {
    const State seen = state_of(word);
    if (seen == State::kDying || seen == State::kDead) return false;
    count_shared_rmw();
    const State next = seen == State::kPtr ? State::kDying : State::kDead;
    if (pcpu_count_.compare_exchange_weak(word, std::uintptr_t(next), std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {  // pairs: counters' birth
      if (next == State::kDead) return true;
      break;
    }
  }
  PercpuSlot* slots = slots_of(word);
  schedule_point("ref: dying, grace period to come");
  const bool waits = !mutated(PartMutation::kRefNoGracePeriod);
  if (waits) synchronize_rcu();
  schedule_point("ref: dying, not summed");
  // A counter may be negative, being where references were put that were got elsewhere; the sum is
  // not wrapped, and is extended with its sign for the initial reference may cover one that is.
  const auto sum = std::int64_t(std::int32_t(percpu_sum(slots)));
  count_shared_rmw();
  count_.fetch_add(std::uint64_t(sum), std::memory_order_relaxed);
  schedule_point("ref: summed, not dead");
  // Release: the sum comes before DEAD, for a put() that sees DEAD and tests for zero.
  pcpu_count_.store(std::uintptr_t(State::kDead), std::memory_order_release);
  if (!waits) synchronize_rcu();
  free_percpu(slots);
  return true;
}

}  // namespace aioscope::kioctx
