#include "bench/workload/layout.h"

#include <gtest/gtest.h>

namespace aioscope {
namespace {

Row row_of(Workload workload, std::uint32_t submitters, std::uint32_t reapers,
           std::uint32_t contexts) {
  Row row;
  row.workload = workload;
  row.submitters = submitters;
  row.reapers = reapers;
  row.contexts = contexts;
  return row;
}

TEST(Layout, SharedHasOneContextForAll) {
  const Layout layout = make_layout(row_of(Workload::kShared, 4, 2, 9));
  EXPECT_EQ(layout.contexts, 1u);
  EXPECT_EQ(layout.threads.size(), 6u);
  EXPECT_EQ(layout.submitters_of[0], 4u);
  EXPECT_EQ(layout.reapers_of[0], 2u);
  EXPECT_FALSE(layout.private_contexts);
}

TEST(Layout, PerThreadAndAggregateHaveOneContextEach) {
  const Layout per_thread = make_layout(row_of(Workload::kPerThread, 3, 0, 0));
  EXPECT_EQ(per_thread.contexts, 3u);
  EXPECT_EQ(per_thread.threads.size(), 3u);
  EXPECT_EQ(per_thread.collectors, 0u);
  const Layout aggregate = make_layout(row_of(Workload::kAggregate, 3, 0, 0));
  EXPECT_EQ(aggregate.threads.size(), 4u);
  EXPECT_EQ(aggregate.threads.back().role, ThreadRole::kConsumer);
  EXPECT_EQ(aggregate.collectors, 1u);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(aggregate.threads[i].contexts, std::vector<std::uint32_t>{i});
  }
}

// Whatever N, M and K are, every context has a submitter and a reaper and every thread a context.
TEST(Layout, GroupedServesEveryContext) {
  for (std::uint32_t n = 1; n <= 5; ++n) {
    for (std::uint32_t m = 1; m <= 5; ++m) {
      for (std::uint32_t k = 1; k <= 5; ++k) {
        const Layout layout = make_layout(row_of(Workload::kGrouped, n, m, k));
        ASSERT_EQ(layout.contexts, k);
        for (std::uint32_t context = 0; context < k; ++context) {
          EXPECT_GE(layout.submitters_of[context], 1u);
          EXPECT_GE(layout.reapers_of[context], 1u);
        }
        for (const ThreadPlan& thread : layout.threads) EXPECT_FALSE(thread.contexts.empty());
      }
    }
  }
}

// When all slots of a sleeping submitter have come back, and each collector holds fewer than it
// wakes for, the submitter sleeps on.
TEST(Layout, AllSlotsTogetherAreWorthWakingForWhateverCollectorHoldsThem) {
  Row row = row_of(Workload::kShared, 1, 1, 1);
  for (const FileKind kind : {FileKind::kNull, FileKind::kDevice}) {
    row.target.kind = kind;
    for (row.depth = 1; row.depth <= 64; ++row.depth) {
      for (std::uint32_t collectors = 1; collectors <= 16; ++collectors) {
        const std::size_t threshold = slots_worth_waking_for(row, collectors);
        ASSERT_GE(threshold, 1u);
        EXPECT_LT(collectors * (threshold - 1), row.depth) << collectors;
      }
    }
  }
}

}  // namespace
}  // namespace aioscope
