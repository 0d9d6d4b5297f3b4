// Which threads a row has, and which contexts each of them uses.
#pragma once

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

}  // namespace aioscope
