// Which threads a row has, and which contexts each of them uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/measurement.h"
#include "bench/row.h"

namespace aioscope {

struct ThreadPlan {
  ThreadRole role = ThreadRole::kSubmitterReaper;
  std::uint32_t index = 0;  // among the threads of its kind: the submitter, the collector
  std::vector<std::uint32_t> contexts;  // it submits to or reaps from; a consumer has none
};

struct Layout {
  std::vector<ThreadPlan> threads;  // submitters first
  std::uint32_t submitters = 0;
  std::uint32_t collectors = 0;  // threads other than the submitter that hand slots back to it
  std::uint32_t contexts = 0;
  bool private_contexts = false;  // each submitter has one of its own, opened by its thread
  std::vector<std::uint32_t> submitters_of;  // per context
  std::vector<std::uint32_t> reapers_of;     // per context
};

// With fewer threads than contexts, a thread serves every context whose number is its own modulo
// the number of threads; with more, the threads are dealt to the contexts in turn.
Layout make_layout(const Row& row);

// How many of a submitter's slots must wait in the channel of ONE of `collectors` for that one to
// wake it. On a device one is enough; elsewhere half of the slots over all of them, the low-water
// mark of a producer.
//
// No wake-up is lost. The submitter sleeps for slots only when it has found all channels empty
// after saying so (Parker), and all of its slots are away: they do come, and all of them into
// channels of collectors that see it asleep. When the last has come, one channel holds at least
// depth / collectors, rounded up, whatever the order; and its collector, which publishes before it
// looks, has then seen as many. So the threshold must be no more than that.
std::size_t slots_worth_waking_for(const Row& row, std::uint32_t collectors);

}  // namespace aioscope
