#include "bench/self_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "tests/bench/fake_root.h"
#include "tests/bench/result_sample.h"

namespace aioscope {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<InstrumentUse> kCounters{{Observe::kCounters, "default"}};

Summary observed(const std::vector<double>& off, const std::vector<double>& on) {
  DescribedRow without;
  without.row.driver = "libaio";
  without.row.observe = Observe::kOff;
  DescribedRow with = without;
  with.row.observe = Observe::kCounters;
  DescribedRow lonely = with;
  lonely.row.driver = "sync";
  Summary summary({without, with, lonely});
  Measurement m = sample_measurement();
  const auto add = [&](std::size_t row, const std::vector<double>& rates) {
    for (std::size_t i = 0; i < rates.size(); ++i) {
      m.operations_per_s = rates[i];
      summary.add(row, std::uint32_t(i), m);
    }
  };
  add(0, off);
  add(1, on);
  add(2, on);
  return summary;
}

TEST(SelfCost, IsTheMedianOverPairsOfARound) {
  // Rounds differ by more than what is looked for: medians of all would say nothing.
  const auto prices = looking_prices(
      observed({100, 202, 303, 404, 505, 606, 707}, {100, 200, 300, 400, 500, 600, 700}), kCounters,
      5);
  ASSERT_EQ(prices.size(), 1u);
  EXPECT_EQ(prices[0].instrument, Observe::kCounters);
  EXPECT_EQ(prices[0].with, "default");
  EXPECT_EQ(prices[0].measured_realtime_ns, 5);
  ASSERT_EQ(prices[0].rows.size(), 1u) << "the row without a twin has no price";
  const RowSlowDown& row = prices[0].rows[0];
  EXPECT_NEAR(row.slow_down, 0.01, 1e-9);
  EXPECT_EQ(row.pairs, 7u);
  EXPECT_NEAR(*row.low, 0, 1e-9);  // of 7 the whole range holds the median with 98.4 %
  EXPECT_NEAR(*row.high, 0.01, 1e-9);
  EXPECT_THAT(row.row, Not(HasSubstr("observe")));
}

TEST(SelfCost, FewPairsHaveNoInterval) {
  const auto prices = looking_prices(observed({1, 1, 1, 1, 1}, {1, 1, 1, 1, 1}), kCounters, 0);
  EXPECT_EQ(prices[0].rows[0].low, std::nullopt);
  EXPECT_TRUE(looking_prices(observed({1}, {}), kCounters, 0).empty());
  EXPECT_TRUE(looking_prices(observed({1}, {1}), {{Observe::kProfile, ""}}, 0).empty());
}

TEST(SelfCost, IntervalLeavesOutThe5OuterOf21) {
  std::vector<double> off, on(21, 100);
  for (int i = 0; i < 21; ++i) off.push_back(100 + i);
  const RowSlowDown row = looking_prices(observed(off, on), kCounters, 0)[0].rows[0];
  EXPECT_NEAR(row.slow_down, 0.10, 1e-9);
  EXPECT_NEAR(*row.low, 0.05, 1e-9);
  EXPECT_NEAR(*row.high, 0.15, 1e-9);
}

TEST(SelfCostStore, KeepsPerHostAndReplacesByInstrument) {
  const FakeRoot root;
  const SelfCostStore store(root.path() / "state", "0123");
  EXPECT_TRUE(store.load().empty());
  auto prices = looking_prices(observed({102, 102}, {100, 100}), kCounters, 7);
  LookingPrice profile = prices[0];
  profile.instrument = Observe::kProfile;
  profile.with = "1000 Hz";
  EXPECT_EQ(store.save({profile}), "");
  EXPECT_EQ(store.save(prices), "");
  prices[0].rows[0].slow_down = 0.5;
  EXPECT_EQ(store.save(prices), "");
  const auto loaded = store.load();
  ASSERT_EQ(loaded.size(), 2u);
  EXPECT_EQ(loaded[0].instrument, Observe::kCounters);
  EXPECT_DOUBLE_EQ(loaded[0].rows[0].slow_down, 0.5);
  EXPECT_EQ(loaded[0].rows[0].low, std::nullopt);
  EXPECT_EQ(loaded[0].measured_realtime_ns, 7);
  EXPECT_EQ(loaded[1].with, "1000 Hz");
  EXPECT_TRUE(SelfCostStore(root.path() / "state", "4567").load().empty()) << "another host";
}

TEST(SelfCostStore, WhatIsBrokenIsNotKnown) {
  const FakeRoot root;
  const SelfCostStore store(root.path(), "0123");
  for (const char* text : {"", "{", "[]", R"({"schema": "aioscope.self-cost/2", "prices": []})",
                           R"({"schema": "aioscope.self-cost/1", "prices": [{}]})",
                           R"({"schema": "aioscope.self-cost/1", "prices": [{"instrument": "x",
                               "with": "", "measured_realtime_ns": 1, "rows": []}]})"}) {
    root.write(std::filesystem::relative(store.path(), root.path()), text);
    EXPECT_TRUE(store.load().empty()) << text;
  }
  EXPECT_THAT(SelfCostStore("/proc/none", "0123").save({}), HasSubstr("XDG_STATE_HOME"));
  EXPECT_THAT(SelfCostStore("", "0123").save({}), HasSubstr("XDG_STATE_HOME"));
}

TEST(SelfCost, SaysWhatIsKnownAndWhatIsNot) {
  EXPECT_EQ(looking_text({}, {}), "");
  EXPECT_EQ(looking_text(kCounters, {}),
            "price of counters: not measured on this host: aioscope run --suite self-cost\n");
  const auto prices =
      looking_prices(observed(std::vector<double>(6, 102), {100, 100, 100, 100, 100, 100}),
                     kCounters, 1'700'000'000'000'000'000);
  const std::string text = looking_text(kCounters, prices);
  EXPECT_THAT(text, HasSubstr("2.0 % slower (95 %: 2.0 to 2.0)"));
  EXPECT_THAT(text, HasSubstr("the dearest of 1 row, libaio/"));
  EXPECT_THAT(text, HasSubstr("2023-11-14\n"));
  EXPECT_THAT(looking_text({{Observe::kCounters, "cycles"}}, prices), HasSubstr(" with default\n"));
  EXPECT_EQ(looking_json(kCounters, {})[0]["price"], nullptr);
  EXPECT_THAT(looking_json(kCounters, {})[0]["reason"], HasSubstr("self-cost"));
  EXPECT_EQ(looking_json(kCounters, prices)[0]["price"]["rows"][0]["pairs"], 6);
}

TEST(StateDirectory, FollowsXdg) {
  const char* home = getenv("HOME");
  const std::string old_home = home == nullptr ? "" : home;
  setenv("HOME", "/users/somebody", 1);
  setenv("XDG_STATE_HOME", "/var/state", 1);
  EXPECT_EQ(state_directory(), "/var/state/aioscope");
  setenv("XDG_STATE_HOME", "not/absolute", 1);
  EXPECT_EQ(state_directory(), "/users/somebody/.local/state/aioscope");
  unsetenv("XDG_STATE_HOME");
  unsetenv("HOME");
  EXPECT_EQ(state_directory(), "");
  setenv("HOME", old_home.c_str(), 1);
}

}  // namespace
}  // namespace aioscope
