#include "bench/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "bench/values.h"

namespace aioscope {
namespace {

Availability usable(const Driver&) { return {}; }

RunRequest request_of(const RowOptions& rows) {
  RunRequest request;
  request.run.rows = rows;
  request.run.seed = 1;
  request.run.no_harness_price = true;
  request.parts = {rows};
  return request;
}

std::vector<std::string> names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlannedRow& planned : plan.rows) names.push_back(planned.row.name());
  return names;
}

Plan plan_of(const RunRequest& request, const Probe& probe = usable) {
  static Registry registry;
  return make_plan(request, registry, probe);
}

std::string error_of(const RunRequest& request) {
  try {
    plan_of(request);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Plan, RowsAreTheProductOfTheLists) {
  RowOptions rows;
  rows.drivers = {"null", "libaio"};
  rows.workloads = {Workload::kShared, Workload::kPerThread};
  rows.targets = {"null", "zero"};
  rows.submitters = {1, 2, 4};
  rows.depths = {32, 64};
  rows.batches = {1, 8};
  rows.block_sizes = {512, 4096};
  rows.operations = {Operation::kRead, Operation::kWrite};
  const auto names = names_of(plan_of(request_of(rows)));
  EXPECT_EQ(names.size(), 2u * 2 * 2 * 3 * 2 * 2 * 2 * 2);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(names.front(), "null/shared/null/submitters:1/reapers:1/depth:32/batch:1/bs:512/read");
}

TEST(Plan, RowsThatWouldMeasureTheSameAreOneRow) {
  RowOptions rows;
  rows.drivers = {"null"};
  rows.workloads = {Workload::kPerThread};
  rows.reapers = {1, 2, 3};  // mean nothing per-thread
  rows.contexts = {1, 2};    // nor do these
  rows.depths = {4};
  rows.batches = {4, 8, 16};  // come down to the depth
  rows.operations = {Operation::kNop};
  rows.block_sizes = {512, 4096};  // nothing is transferred
  rows.arrival = Arrival::kPoisson;
  const Plan plan = plan_of(request_of(rows));
  ASSERT_EQ(plan.rows.size(), 1u);
  const Row& row = plan.rows[0].row;
  EXPECT_EQ(row.reapers, 0u);
  EXPECT_EQ(row.contexts, 1u);
  EXPECT_EQ(row.batch, 4u);
  EXPECT_EQ(row.block_size, 512u);
  EXPECT_EQ(row.arrival, Arrival::kConstant);
}

TEST(Plan, SharedAndGroupedKeepTheirReapers) {
  Row row{.workload = Workload::kShared, .submitters = 4, .reapers = 2, .contexts = 3};
  EXPECT_EQ(normalised(row).contexts, 1u);
  EXPECT_EQ(normalised(row).reapers, 2u);
  row.workload = Workload::kGrouped;
  EXPECT_EQ(normalised(row).contexts, 3u);
  row.workload = Workload::kAggregate;
  EXPECT_EQ(normalised(row).contexts, 4u);
}

TEST(Plan, DifferentRowsOfOneNameAreRefused) {
  RowOptions rows;
  rows.drivers = {"libaio"};
  rows.targets = {"file:/a/data", "file:/b/data"};
  const std::string error = error_of(request_of(rows));
  EXPECT_NE(error.find("file:/a/data and file:/b/data"), std::string::npos) << error;
}

TEST(Plan, TheFileOfTheCommandLineStandsForTheTargetFile) {
  RowOptions rows;
  rows.drivers = {"libaio"};
  rows.targets = {"file"};
  RunRequest request = request_of(rows);
  EXPECT_NE(plan_of(request).rows[0].skip_cure.find("--file PATH"), std::string::npos);
  request.run.file = "/data/x,y";
  const Plan plan = plan_of(request);
  EXPECT_TRUE(plan.rows[0].runs());
  EXPECT_EQ(plan.rows[0].row.target.path, "/data/x,y");
}

TEST(Plan, WhatADriverCannotDoIsSkippedWithReasonAndCure) {
  RowOptions rows;
  rows.drivers = {"libaio"};
  rows.operations = {Operation::kNop, Operation::kRead};
  const Plan plan = plan_of(request_of(rows));
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_EQ(plan.rows[0].skip_reason, "libaio cannot nop");
  EXPECT_FALSE(plan.rows[0].skip_cure.empty());
  EXPECT_TRUE(plan.rows[1].runs());
  for (const PlanItem& item : plan.order) EXPECT_EQ(item.row, 1u);
}

TEST(Plan, AContextThatTakesOneReaperIsNotGivenTwo) {
  RowOptions rows;
  rows.drivers = {"libaio@user-reap"};
  rows.submitters = {4};
  rows.reapers = {1, 2};
  rows.contexts = {2};
  rows.workloads = {Workload::kShared};
  Plan plan = plan_of(request_of(rows));
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_TRUE(plan.rows[0].runs());
  EXPECT_EQ(plan.rows[1].skip_reason, "a context of libaio@user-reap takes 1 reaper at most");
  rows.workloads = {Workload::kGrouped};  // two contexts with one reaper each
  plan = plan_of(request_of(rows));
  EXPECT_TRUE(plan.rows[1].runs());
}

TEST(Plan, TargetsAndVerifyingNeedADriverThatCan) {
  RowOptions rows;
  rows.drivers = {"libaio"};
  rows.targets = {"device:latency=10us,jitter=1us"};
  EXPECT_EQ(plan_of(request_of(rows)).rows[0].skip_reason,
            "libaio cannot use the target device:latency=10us,jitter=1us");
  rows.drivers = {"kioctx"};
  EXPECT_TRUE(plan_of(request_of(rows)).rows[0].runs());
  rows.verify = true;
  EXPECT_EQ(error_of(request_of(rows)),
            "--verify: the target device:latency=10us,jitter=1us simulates times and keeps no data "
            "that could be verified; leave out --verify, or choose the target zero or file:PATH");
  rows.operations = {Operation::kNop};  // verifies nothing
  EXPECT_TRUE(plan_of(request_of(rows)).rows[0].runs());
  rows = {};
  rows.drivers = {"null"};
  rows.verify = true;
  EXPECT_EQ(plan_of(request_of(rows)).rows[0].skip_reason,
            "null transfers no data that could be verified");
}

TEST(Plan, AFailingProbeSkipsWithItsOwnWordsAndIsAskedOnce) {
  RowOptions rows;
  rows.drivers = {"libaio", "null"};
  rows.submitters = {1, 2, 3};
  std::map<std::string, int> asked;
  const Plan plan = plan_of(request_of(rows), [&](const Driver& driver) -> Availability {
    ++asked[std::string(driver.name)];
    if (driver.name == "null") return {};
    return {.usable = false, .reason = "io_setup: EAGAIN", .cure = "raise fs.aio-max-nr"};
  });
  EXPECT_EQ(asked, (std::map<std::string, int>{{"libaio", 1}, {"null", 1}}));
  for (const PlannedRow& planned : plan.rows) {
    EXPECT_EQ(planned.skip_reason, planned.row.driver == "libaio" ? "io_setup: EAGAIN" : "");
    EXPECT_EQ(planned.skip_cure, planned.row.driver == "libaio" ? "raise fs.aio-max-nr" : "");
  }
  EXPECT_EQ(plan.order.size(), 3u * plan.repetitions);
}

TEST(Plan, EveryRowHasItsHarnessPrice) {
  RowOptions rows;
  rows.drivers = {"libaio", "io_uring"};
  rows.workloads = {Workload::kShared, Workload::kPerThread};
  rows.targets = {"zero", "file:/data"};
  RunRequest request = request_of(rows);
  request.run.no_harness_price = false;
  const Plan plan = plan_of(request);
  // Two workloads, sampled on zero and full on the file, for both drivers.
  EXPECT_EQ(std::ranges::count_if(plan.rows, &PlannedRow::price_only), 4);
  for (const PlannedRow& planned : plan.rows) {
    if (planned.price_only) {
      EXPECT_FALSE(planned.price_row);
      EXPECT_EQ(planned.row.driver, "null");
      EXPECT_EQ(planned.row.target, Target{});
      continue;
    }
    ASSERT_TRUE(planned.price_row);
    const Row& price = plan.rows[*planned.price_row].row;
    EXPECT_EQ(price.workload, planned.row.workload);
    EXPECT_EQ(price.latency, planned.row.target.kind == FileKind::kFile ? LatencyMode::kFull
                                                                        : LatencyMode::kSampled);
  }
  EXPECT_EQ(plan.order.size(), plan.rows.size() * plan.repetitions);
}

TEST(Plan, ARowOfTheDriverNullIsItselfThePrice) {
  RowOptions rows;
  rows.drivers = {"libaio", "null"};
  RunRequest request = request_of(rows);
  request.run.no_harness_price = false;
  const Plan plan = plan_of(request);
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_EQ(plan.rows[0].price_row, 1u);
  EXPECT_FALSE(plan.rows[1].price_row);
}

TEST(Plan, OnlyAndSkipChooseByName) {
  RowOptions rows;
  rows.drivers = {"libaio", "io_uring"};
  rows.workloads = {Workload::kShared, Workload::kPerThread};
  RunRequest request = request_of(rows);
  request.run.only = "^(libaio|io_uring)/shared";
  request.run.skip = "libaio";
  const auto names = names_of(plan_of(request));
  ASSERT_EQ(names.size(), 1u);
  EXPECT_TRUE(names[0].starts_with("io_uring/shared"));
  request.run.only = "spdk";
  EXPECT_NE(error_of(request).find("leave no rows"), std::string::npos);
  request.run.only = "(";
  EXPECT_NE(error_of(request).find("--only: '(' is not a regular expression"), std::string::npos);
}

TEST(Plan, PartsAreJoinedAndTheirCommonRowsRunOnce) {
  RowOptions first;
  first.drivers = {"null"};
  RowOptions second = first;
  second.submitters = {1, 2};
  RunRequest request = request_of(first);
  request.parts = {first, second};
  EXPECT_EQ(plan_of(request).rows.size(), 2u);
}

TEST(PlanOrder, EveryRoundHasEveryRowOnceInAnOrderOfItsOwn) {
  const std::vector<std::size_t> rows{0, 1, 2, 3, 5, 8, 13, 21};
  const auto order = balanced_random_order(rows, 20, 42);
  ASSERT_EQ(order.size(), rows.size() * 20);
  std::set<std::vector<std::size_t>> rounds;
  for (std::uint32_t round = 0; round < 20; ++round) {
    std::vector<std::size_t> of_round;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(order[round * rows.size() + i].repetition, round);
      of_round.push_back(order[round * rows.size() + i].row);
    }
    rounds.insert(of_round);
    std::ranges::sort(of_round);
    EXPECT_EQ(of_round, rows);
  }
  EXPECT_EQ(rounds.size(), 20u);  // of 40320 orders
}

TEST(PlanOrder, EveryPositionIsAsLikelyForEveryRow) {
  constexpr std::uint32_t kRounds = 4000;
  const auto order = balanced_random_order({0, 1, 2, 3}, kRounds, 7);
  std::map<std::pair<std::size_t, std::size_t>, int> count;
  for (std::size_t i = 0; i < order.size(); ++i) ++count[{order[i].row, i % 4}];
  for (const auto& [place, times] : count) {
    EXPECT_NEAR(times, kRounds / 4.0, 5 * std::sqrt(kRounds * 0.25 * 0.75));
  }
  EXPECT_EQ(count.size(), 16u);
}

TEST(PlanOrder, FollowsFromTheSeedOnEveryPlatform) {
  std::vector<std::size_t> rows;
  for (const PlanItem& item : balanced_random_order({0, 1, 2, 3, 4, 5}, 2, 12345)) {
    rows.push_back(item.row);
  }
  EXPECT_EQ(rows, (std::vector<std::size_t>{3, 2, 5, 4, 1, 0, 4, 2, 1, 0, 3, 5}));
}

TEST(PlanTime, ABudgetIsDividedOverRowsAndRepetitions) {
  RowOptions rows;
  rows.drivers = {"null"};
  rows.submitters = {1, 2, 3, 4};
  RunRequest request = request_of(rows);
  request.run.repetitions = 5;
  for (const std::int64_t seconds : {3, 10, 60}) {
    request.run.time_budget_ns = seconds * 1'000'000'000;
    const Plan plan = plan_of(request);
    EXPECT_NEAR(double(plan.duration_ns()), double(request.run.time_budget_ns), 1000);
    EXPECT_LE(plan.warmup_ns, request.run.warmup_ns);
    EXPECT_GE(plan.window_ns, 4 * plan.warmup_ns);
  }
}

TEST(PlanTime, ABudgetThatIsTooSmallNamesTheSmallestWhichWorks) {
  RowOptions rows;
  rows.drivers = {"null"};
  rows.submitters = {1, 2, 3, 4};
  RunRequest request = request_of(rows);
  request.run.repetitions = 5;
  for (const std::int64_t warmup_ns : {0, 10'000'000, 500'000'000}) {
    request.run.warmup_ns = warmup_ns;
    request.run.time_budget_ns = 1'000'000'000;
    const std::string error = error_of(request);
    const auto at = error.find("the smallest is ");
    ASSERT_NE(at, std::string::npos) << error;
    const std::string smallest = error.substr(at + 16, error.find("s;", at) - at - 15);
    const std::int64_t smallest_ns = parse_duration(smallest, 0, INT64_MAX / 2);
    request.run.time_budget_ns = smallest_ns;
    EXPECT_EQ(error_of(request), "no error") << smallest;
    request.run.time_budget_ns = smallest_ns - 200'000'000;
    EXPECT_NE(error_of(request), "no error") << smallest;
  }
}

TEST(PlanTime, SkippedRowsTakeNoTime) {
  RowOptions rows;
  rows.drivers = {"libaio"};
  rows.operations = {Operation::kNop, Operation::kRead};
  const RunRequest request = request_of(rows);
  const Plan plan = plan_of(request);
  EXPECT_EQ(plan.order.size(), request.run.repetitions);
}

TEST(Plan, ARowForEachInstrumentAloneAndForNone) {
  RowOptions rows;
  rows.drivers = {"null"};
  rows.observe = {Observe::kOff, Observe::kCounters};
  RunRequest request = request_of(rows);
  EXPECT_NE(error_of(request).find("--counters default"), std::string::npos);
  request.run.counters = {"task-clock"};
  const Plan plan = plan_of(request);
  ASSERT_EQ(plan.rows.size(), 2u);
  EXPECT_TRUE(plan.rows[0].row.name().ends_with("/observe:off"));
  EXPECT_FALSE(plan.rows[0].row.observed_by(Observe::kCounters));
  EXPECT_TRUE(plan.rows[1].row.observed_by(Observe::kCounters));
  EXPECT_FALSE(plan.rows[1].row.observed_by(Observe::kProfile));
  EXPECT_TRUE(Row{}.observed_by(Observe::kProfile)) << "what the run was asked for";
}

}  // namespace
}  // namespace aioscope
