#include "drivers/kioctx/stage.h"

#include <gtest/gtest.h>

#include <array>

namespace aioscope::kioctx {
namespace {

std::array<bool, 13> switches(const Stage& s) {
  return {s.no_retry,       s.slot_before_file, s.lockless_put,          s.refcounting,
          s.hrtimer_wait,   s.bulk_reap,        s.lazy_cancel,           s.active_until_reaped,
          s.no_batch_alloc, s.own_cachelines,   s.percpu_reqs_available, s.percpu_refcount,
          s.xchg_tail};
}

TEST(Stages, AreCumulative) {
  for (std::size_t i = 1; i < kStages.size(); ++i) {
    const auto before = switches(kStages[i - 1].stage);
    const auto after = switches(kStages[i].stage);
    EXPECT_NE(before, after) << kStages[i].name;
    for (std::size_t s = 0; s < after.size(); ++s) {
      EXPECT_GE(after[s], before[s]) << kStages[i].name << " loses switch " << s;
    }
  }
}

TEST(Stages, BeginWithNoPatchAndEndWithAll) {
  static_assert(sizeof(Stage) == std::tuple_size_v<decltype(switches({}))>);
  EXPECT_EQ(kStages.front().stage, Stage{});
  EXPECT_EQ(kStages.back().name, "series");
  for (const bool on : switches(kStages.back().stage)) EXPECT_TRUE(on);
}

}  // namespace
}  // namespace aioscope::kioctx
