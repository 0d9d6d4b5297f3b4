#include "bench/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bench/plan.h"

namespace aioscope {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Measurement measured(double operations_per_s, double cpu_ns) {
  Measurement m;
  m.operations_per_s = operations_per_s;
  m.cpu_user_ns_per_op = cpu_ns / 4;
  m.cpu_system_ns_per_op = cpu_ns * 3 / 4;
  m.system_calls_per_op = 0.5;
  m.system_calls_source = "driver";
  m.latency.record(1000, 20);
  return m;
}

std::vector<DescribedRow> two_rows_and_their_price() {
  Row one;
  one.driver = "libaio";
  Row four = one;
  four.submitters = 4;
  Row price = one;
  price.driver = "null";
  return {{.row = normalised(one), .price_row = 2},
          {.row = normalised(four), .price_row = 2},
          {.row = normalised(price), .price_only = true}};
}

TEST(Median, OfOddEvenAndNothing) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({5, kNaN}), 5);
  EXPECT_TRUE(std::isnan(median({})));
}

TEST(Summary, TakesMediansSpreadShareAndScaling) {
  Summary summary(two_rows_and_their_price());
  for (const double rate : {100.0, 120.0, 90.0}) summary.add(0, 0, measured(rate, 400));
  for (const double rate : {300.0, 310.0, 290.0}) summary.add(1, 0, measured(rate, 500));
  for (const double cpu : {10.0, 20.0, 30.0}) summary.add(2, 0, measured(1000, cpu));
  const auto rows = summary.rows();
  EXPECT_DOUBLE_EQ(rows[0].operations_per_s_median, 100);
  EXPECT_DOUBLE_EQ(rows[0].spread, 0.30);
  EXPECT_DOUBLE_EQ(rows[0].cpu_ns_per_op, 400);
  EXPECT_DOUBLE_EQ(rows[0].cpu_user_ns_per_op, 100);
  EXPECT_DOUBLE_EQ(rows[0].harness_share, 20.0 / 400);
  EXPECT_DOUBLE_EQ(rows[1].scaling, 3);
  EXPECT_TRUE(rows[0].warnings.empty());
  EXPECT_EQ(rows[0].latency.count(), 60u);  // merged
}

// A row of one submitter has one context where the workload gives each its own.
TEST(Summary, ScalingIsAgainstOneSubmitterOfTheSameWorkload) {
  for (const Workload workload : {Workload::kShared, Workload::kPerThread, Workload::kAggregate}) {
    std::vector<DescribedRow> rows = two_rows_and_their_price();
    for (DescribedRow& described : rows) {
      described.row.workload = workload;
      described.row = normalised(described.row);
    }
    Summary summary(rows);
    summary.add(0, 0, measured(100, 400));
    summary.add(1, 0, measured(250, 400));
    EXPECT_DOUBLE_EQ(summary.rows()[1].scaling, 2.5) << workload_name(workload);
  }
}

TEST(Summary, WarnsOfAHarnessShareOverTenPercent) {
  Summary summary(two_rows_and_their_price());
  summary.add(0, 0, measured(100, 399));
  summary.add(1, 0, measured(100, 401));
  summary.add(2, 0, measured(1000, 40));
  const auto rows = summary.rows();
  EXPECT_EQ(rows[0].warnings.size(), 1u);
  EXPECT_TRUE(rows[1].warnings.empty());
}

TEST(Summary, ComparesWithTheSameRowOfTheBaseline) {
  std::vector<DescribedRow> rows(3);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].row.driver = i == 0 ? "base" : "other";
  rows[2].row.depth = 7;  // has no partner
  Summary summary(rows, "base");
  Measurement m;
  m.operations_per_s = 100;
  summary.add(0, 0, m);
  m.operations_per_s = 250;
  summary.add(1, 0, m);
  summary.add(2, 0, m);
  const auto summaries = summary.rows();
  EXPECT_DOUBLE_EQ(summaries[0].vs_baseline, 1);
  EXPECT_DOUBLE_EQ(summaries[1].vs_baseline, 2.5);
  EXPECT_TRUE(std::isnan(summaries[2].vs_baseline));
}

TEST(Summary, AddsCountsOfRepetitionsBySite) {
  Summary summary({DescribedRow{}});
  Measurement m;
  m.driver_counts = {.operations = 10,
                     .lock_sites = {{"a", 10, 1, 5, {.p50_ns = 2, .p99_ns = 4, .max_ns = 7}}},
                     .wakeups = 1};
  summary.add(0, 0, m);
  m.driver_counts = {.operations = 30,
                     .lock_sites = {{"b", 30, 3, 15, {}}, {"a", 10, 0, 0, {.p50_ns = 4}}},
                     .wakeups = 3};
  summary.add(0, 1, m);
  const RowSummary row = summary.rows()[0];
  const CountsPerOperation counts = per_operation(row.counts);
  EXPECT_DOUBLE_EQ(counts.lock_acquisitions, 50.0 / 40);
  EXPECT_DOUBLE_EQ(counts.lock_contended, 0.1);
  EXPECT_DOUBLE_EQ(counts.lock_wait_ns, 0.5);
  EXPECT_DOUBLE_EQ(counts.wakeups, 0.1);
  EXPECT_TRUE(std::isnan(counts.shared_rmw));
  const auto& site = row.counts.value().lock_sites[0];
  EXPECT_EQ(site.site, "a");
  EXPECT_EQ(site.times.p50_ns, 3);  // the median of the repetitions
  EXPECT_EQ(site.times.p99_ns, 4);  // of the one that can tell
  EXPECT_EQ(site.times.max_ns, 7);
}

TEST(Summary, TakesTheMedianSplitOfTheRepetitions) {
  Summary summary({DescribedRow{}});
  Measurement m;
  for (const double ns : {10.0, 30.0, 20.0}) {
    m.latency_split = {.submit_call_ns_per_op = ns,
                       .in_flight_ns_per_op = 100 * ns,
                       .reap_call_ns_per_op = std::nan(""),
                       .calls_timed = 7};
    summary.add(0, 0, m);
  }
  const LatencySplit split = summary.rows()[0].split;
  EXPECT_DOUBLE_EQ(split.submit_call_ns_per_op, 20);
  EXPECT_DOUBLE_EQ(split.in_flight_ns_per_op, 2000);
  EXPECT_TRUE(std::isnan(split.reap_call_ns_per_op));
  EXPECT_EQ(split.calls_timed, 21u);
}

TEST(Summary, PrefersTracedSystemCalls) {
  Summary summary(two_rows_and_their_price());
  summary.add(0, 0, measured(100, 400));
  EXPECT_FALSE(summary.rows()[0].system_calls_traced);
  Measurement traced = measured(100, 400);
  traced.system_calls_source = "tracepoint";
  traced.system_calls_per_op = 0.75;
  summary.add(0, 1, traced);
  EXPECT_TRUE(summary.rows()[0].system_calls_traced);
  EXPECT_DOUBLE_EQ(summary.rows()[0].system_calls_per_op, 0.75);
}

TEST(Summary, SaysUnsteadyWhenHalfOfTheRepetitionsWere) {
  Summary summary(two_rows_and_their_price());
  Measurement drifting = measured(100, 400);
  drifting.steady = false;
  for (int i = 0; i < 2; ++i) summary.add(0, i, measured(100, 400));
  summary.add(0, 2, drifting);
  EXPECT_FALSE(summary.rows()[0].unsteady);
  summary.add(0, 3, drifting);
  EXPECT_TRUE(summary.rows()[0].unsteady);
}

TEST(Summary, HasNoFiguresWithoutRepetitions) {
  Summary summary(two_rows_and_their_price());
  summary.skip(1, "no such device", "plug it in");
  summary.add(0, 0, measured(100, 400));
  const auto rows = summary.rows();
  EXPECT_TRUE(std::isnan(rows[0].spread));  // one repetition has none
  EXPECT_TRUE(std::isnan(rows[0].harness_share));
  EXPECT_TRUE(std::isnan(rows[1].operations_per_s_median));
  EXPECT_EQ(rows[1].skip_reason, "no such device");
}

}  // namespace
}  // namespace aioscope
