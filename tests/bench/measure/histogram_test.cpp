#include "bench/measure/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace aioscope {
namespace {

TEST(LatencyHistogram, EveryValueLiesInItsBucketAndBucketsAreNarrow) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random() >> (22 + random() % 42);
    const std::size_t bucket = LatencyHistogram::Buckets::bucket_of(value);
    ASSERT_LT(bucket, LatencyHistogram::kBuckets);
    const std::uint64_t low = LatencyHistogram::Buckets::low(bucket);
    ASSERT_LE(low, value);
    if (bucket + 1 < LatencyHistogram::kBuckets) {
      const std::uint64_t next = LatencyHistogram::Buckets::low(bucket + 1);
      ASSERT_GT(next, value);
      ASSERT_LE(double(next - low), std::max(1.0, double(low) / 64)) << value;
    }
  }
}

TEST(LatencyHistogram, PercentilesAgreeWithSortedValuesWithinABucket) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> latencies(9, 1.5);
  LatencyHistogram first, second;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 50'001; ++i) {
    const auto value = static_cast<std::uint64_t>(latencies(random));
    values.push_back(value);
    (i % 2 == 0 ? first : second).record(value);
  }
  first.merge(second);
  std::ranges::sort(values);
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(fraction * double(values.size())));
    const auto exact = double(values[rank - 1]);
    EXPECT_GE(first.percentile_ns(fraction), exact);
    EXPECT_LE(first.percentile_ns(fraction), exact * (1 + 1.0 / 64) + 1);
  }
  EXPECT_EQ(first.max_ns(), values.back());
  EXPECT_EQ(first.percentile_ns(1.0), double(values.back()));
}

TEST(LatencyHistogram, EmptyHasNoPercentile) {
  const LatencyHistogram empty;
  EXPECT_TRUE(std::isnan(empty.percentile_ns(0.5)));
  EXPECT_TRUE(std::isnan(empty.mean_ns()));
  EXPECT_EQ(empty.max_ns(), 0u);
}

TEST(LatencyHistogram, HugeValuesCountInTheLastBucket) {
  LatencyHistogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.bucket_count(LatencyHistogram::kBuckets - 1), 1u);
  EXPECT_EQ(histogram.percentile_ns(0.5), double(UINT64_MAX));
}

}  // namespace
}  // namespace aioscope
