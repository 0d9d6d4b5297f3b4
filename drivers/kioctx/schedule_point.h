// A marked place in a concurrent algorithm, where a test may make a thread lose the CPU, or let
// others act: what is rare then happens always. Nothing at all unless built with
// AIOSCOPE_SCHEDULE_POINTS.
#pragma once

#include <atomic>
#include <cstdint>

namespace aioscope::kioctx {

// Bugs of the parts that are no templates, as Mutation has those of a context: a test of what keeps
// them away must fail where they are put back.
enum class PartMutation : std::uint8_t {
  kNone,
  kPercpuInterrupted,   // a per-CPU update that an interrupt on its CPU can split
  kRefNoGracePeriod,    // kill() sums counters that readers may still be using
  kRefStateReadBefore,  // put() judges zero by the state before its decrement
  kRefZeroWhileDying,   // put() takes zero for the end while counters are still being summed
};

#if defined(AIOSCOPE_SCHEDULE_POINTS)
// Called with the place's name; may yield or sleep.
inline std::atomic<void (*)(const char* place)> schedule_point_hook{nullptr};
inline void schedule_point(const char* place) {
  // Acquire: what the hook reads, pairs with the test that sets it.
  if (auto* hook = schedule_point_hook.load(std::memory_order_acquire)) hook(place);
}

inline std::atomic<PartMutation> part_mutation{PartMutation::kNone};
inline bool mutated(PartMutation mutation) {
  return part_mutation.load(std::memory_order_relaxed) == mutation;
}
#else
inline void schedule_point(const char*) {}
constexpr bool mutated(PartMutation) { return false; }
#endif

}  // namespace aioscope::kioctx
