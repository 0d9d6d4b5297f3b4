#include "bench/measure/perf/pmu_sharing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace aioscope {
namespace {

using testing::Each;
using testing::HasSubstr;

Counter hardware(std::uint64_t event, bool user) {
  Counter counter{.name = "hardware"};
  counter.attributes = event_attributes(PERF_TYPE_HARDWARE, event);
  counter.attributes.exclude_kernel = user;
  counter.attributes.exclude_user = !user;
  return counter;
}

// The user's and the kernel's part of so many events, and one of software.
std::vector<Counter> pairs(std::uint64_t events) {
  std::vector<Counter> counters{{.name = "software"}};
  counters[0].attributes = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS);
  for (std::uint64_t event = 0; event < events; ++event) {
    counters.push_back(hardware(event, true));
    counters.push_back(hardware(event, false));
  }
  return counters;
}

// A PMU of which others have left so many counters: a group that is larger never runs.
CounterTrial pmu_with(std::ptrdiff_t left, int& trials) {
  return [left, &trials](std::span<const Counter> counters) {
    ++trials;
    std::vector<bool> ran;
    for (const Counter& one : counters) {
      const bool software = one.kind() != CounterKind::kHardware;
      const auto others = std::ranges::count_if(
          counters, [&](const Counter& other) { return other.usable() && may_share(one, other); });
      ran.push_back(software || std::max<std::ptrdiff_t>(others, 1) <= left);
    }
    return ran;
  };
}

std::vector<Sharing> sharing_of(std::span<const Counter> counters) {
  std::vector<Sharing> sharing;
  for (const Counter& counter : counters.subspan(1)) sharing.push_back(counter.sharing);
  return sharing;
}

TEST(PmuSharing, AGroupThatNeverRunsBecomesSmaller) {
  struct {
    std::ptrdiff_t left;
    Sharing sharing;
    int trials;
  } const kCases[] = {{6, Sharing::kAll, 1},
                      {5, Sharing::kSameEvent, 2},
                      {2, Sharing::kSameEvent, 2},
                      {1, Sharing::kNone, 3}};
  for (const auto& one : kCases) {
    auto counters = pairs(3);
    int trials = 0;
    settle_sharing(counters, pmu_with(one.left, trials));
    EXPECT_THAT(sharing_of(counters), Each(one.sharing)) << one.left;
    EXPECT_EQ(trials, one.trials);
    EXPECT_TRUE(std::ranges::all_of(counters, &Counter::usable));
  }
}

TEST(PmuSharing, WhatNeverRunsIsRefusedWithItsCure) {
  auto counters = pairs(3);
  int trials = 0;
  settle_sharing(counters, pmu_with(0, trials));
  EXPECT_TRUE(counters[0].usable()) << "software needs no PMU";
  for (const Counter& counter : std::span(counters).subspan(1)) {
    EXPECT_THAT(counter.refusal.reason, HasSubstr("PMU never counted it"));
    EXPECT_THAT(counter.refusal.cure, HasSubstr("kernel.nmi_watchdog=0"));
  }
}

TEST(PmuSharing, WhatRanStaysAsItIs) {
  auto counters = pairs(2);
  EXPECT_TRUE(share_less(counters, {true, true, true, false, false}));
  EXPECT_EQ(sharing_of(counters),
            (std::vector{Sharing::kAll, Sharing::kAll, Sharing::kSameEvent, Sharing::kSameEvent}));
  EXPECT_FALSE(share_less(counters, {true, true, true, true, true}));
  EXPECT_FALSE(share_less(counters, {false, true, true, true, true})) << "software has no step";
}

TEST(PmuSharing, WithoutAPmuThereIsNothingToTry) {
  auto counters = pairs(0);
  int trials = 0;
  settle_sharing(counters, pmu_with(0, trials));
  EXPECT_EQ(trials, 0);
  EXPECT_EQ(try_together(counters), std::vector{true});
}

TEST(PmuSharing, ClocksAndOtherKindsAreApart) {
  const auto counters = pairs(2);
  Counter clock{.name = "clock"};
  clock.attributes = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK);
  EXPECT_FALSE(may_share(clock, clock));
  EXPECT_FALSE(may_share(counters[0], counters[1]));
  EXPECT_TRUE(may_share(counters[1], counters[4]));
}

}  // namespace
}  // namespace aioscope
