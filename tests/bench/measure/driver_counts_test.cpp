#include "bench/measure/driver_counts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace aioscope {
namespace {

TEST(WaitTimes, AreTooLongByAnEighthAtMost) {
  WaitHistogram waits;
  for (std::uint64_t ns = 1; ns <= 100'000; ++ns) waits.record(ns);
  const WaitTimes times = wait_times(waits);
  EXPECT_GE(times.p50_ns, 50'000);
  EXPECT_LE(times.p50_ns, 50'000 * 9 / 8);
  EXPECT_GE(times.p99_ns, 99'000);
  EXPECT_LE(times.p99_ns, 99'000 * 9 / 8);
  EXPECT_GE(times.max_ns, 100'000);
  EXPECT_LE(times.max_ns, 100'000 * 9 / 8);
}

TEST(WaitTimes, AreNotKnownFromTooFew) {
  WaitHistogram waits;
  EXPECT_TRUE(std::isnan(wait_times(waits).max_ns)) << "not 0";
  for (int i = 0; i < 20; ++i) waits.record(5);
  EXPECT_EQ(wait_times(waits).p50_ns, 5);
  EXPECT_TRUE(std::isnan(wait_times(waits).p99_ns));
  EXPECT_EQ(wait_times(waits).max_ns, 5);
}

TEST(WaitTimes, OfMoreThanAMinuteBelongToTheLastBucket) {
  WaitHistogram waits;
  waits.record(UINT64_MAX);
  EXPECT_EQ(waits.counts.back(), 1u);
  EXPECT_EQ(wait_times(waits).max_ns, double((std::uint64_t{1} << 36) - 1));
}

// What came before the window, however long, is not of it.
TEST(DriverCounts, WaitsAreThoseBetweenTwoLooks) {
  DriverCounts earlier, later;
  earlier.locks.resize(2);
  earlier.locks[1] = {.acquisitions = 9, .contended = 2, .wait_ns = 900'007, .waits = {}};
  earlier.locks[1].waits.record(900'000);
  earlier.locks[1].waits.record(7);
  later = earlier;
  ++later.locks[1].contended;
  later.locks[1].waits.record(7);
  DriverCounts window = later - earlier;
  EXPECT_EQ(window.locks[1].contended, 1u);
  EXPECT_EQ(wait_times(window.locks[1].waits).max_ns, 7);
  EXPECT_TRUE(std::isnan(wait_times(window.locks[0].waits).max_ns));
  window += later;
  EXPECT_EQ(window.locks[1].waits.counts[WaitBuckets::bucket_of(7)], 3u);
  EXPECT_GE(wait_times(window.locks[1].waits).max_ns, 900'000);
}

}  // namespace
}  // namespace aioscope
