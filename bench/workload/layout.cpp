#include "bench/workload/layout.h"

#include <algorithm>

namespace aioscope {
namespace {

std::vector<std::uint32_t> served_contexts(std::uint32_t thread, std::uint32_t threads,
                                           std::uint32_t contexts) {
  if (threads >= contexts) return {thread % contexts};
  std::vector<std::uint32_t> served;
  for (std::uint32_t i = thread; i < contexts; i += threads) served.push_back(i);
  return served;
}

}  // namespace

Layout make_layout(const Row& row) {
  Layout layout;
  layout.submitters = row.submitters;
  layout.private_contexts =
      row.workload == Workload::kPerThread || row.workload == Workload::kAggregate;
  switch (row.workload) {
    case Workload::kShared:
      layout.contexts = 1;
      break;
    case Workload::kGrouped:
      layout.contexts = row.contexts;
      break;
    case Workload::kPerThread:
    case Workload::kAggregate:
      layout.contexts = row.submitters;
      break;
  }
  layout.submitters_of.resize(layout.contexts);
  layout.reapers_of.resize(layout.contexts);

  for (std::uint32_t i = 0; i < row.submitters; ++i) {
    const auto role =
        layout.private_contexts ? ThreadRole::kSubmitterReaper : ThreadRole::kSubmitter;
    layout.threads.push_back({role, i, served_contexts(i, row.submitters, layout.contexts)});
    for (const auto context : layout.threads.back().contexts) {
      ++layout.submitters_of[context];
      if (layout.private_contexts) ++layout.reapers_of[context];
    }
  }
  if (row.workload == Workload::kAggregate) {
    layout.threads.push_back({ThreadRole::kConsumer, 0, {}});
    layout.collectors = 1;
  }
  if (!layout.private_contexts) {
    layout.collectors = row.reapers;
    for (std::uint32_t i = 0; i < row.reapers; ++i) {
      layout.threads.push_back(
          {ThreadRole::kReaper, i, served_contexts(i, row.reapers, layout.contexts)});
      for (const auto context : layout.threads.back().contexts) ++layout.reapers_of[context];
    }
  }
  return layout;
}

std::size_t slots_worth_waking_for(const Row& row, std::uint32_t collectors) {
  if (row.on_device()) return 1;
  return std::max(1u, row.depth / 2 / std::max(1u, collectors));
}

}  // namespace aioscope
