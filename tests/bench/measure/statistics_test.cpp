#include "bench/measure/statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace aioscope {
namespace {

using Shares = std::vector<std::uint64_t>;

TEST(Fairness, JainIsOneForEqualAndOneOverNForOneTakesAll) {
  EXPECT_DOUBLE_EQ(jain_index(Shares{5, 5, 5, 5}), 1.0);
  EXPECT_DOUBLE_EQ(jain_index(Shares{20, 0, 0, 0}), 0.25);
  EXPECT_DOUBLE_EQ(jain_index(Shares{1, 3}), 16.0 / 20.0);
  EXPECT_DOUBLE_EQ(jain_index(Shares{0, 0}), 1.0);
  EXPECT_DOUBLE_EQ(min_over_max(Shares{2, 8}), 0.25);
}

TEST(SteadyState, SeesADriftAndForgivesNoise) {
  EXPECT_TRUE(steady_state(std::vector<double>{100, 101, 99, 100, 100, 101}).steady);
  const SteadyState drifting = steady_state(std::vector<double>{100, 101, 99, 150, 151, 149});
  EXPECT_FALSE(drifting.steady);
  EXPECT_NEAR(drifting.drift, 0.4, 1e-9);
  // As far apart, but no further than the noise within each half.
  EXPECT_TRUE(steady_state(std::vector<double>{50, 150, 100, 80, 180, 120}).steady);
}

TEST(SliceRecorder, KeepsABoundedNumberAndLosesNothing) {
  SliceRecorder recorder(100);
  constexpr int kAdditions = 10'000;
  for (int i = 0; i < kAdditions; ++i) recorder.add(7, 100);
  const auto slices = recorder.operations_per_s();
  EXPECT_LE(slices.size(), SliceRecorder::kMostSlices);
  EXPECT_GT(slices.size(), SliceRecorder::kMostSlices / 4);
  // All but the last, still open slice are whole.
  EXPECT_NEAR(double(recorder.slice_ns() * slices.size()), 100.0 * kAdditions,
              double(recorder.slice_ns()));
  for (const double slice : slices) EXPECT_DOUBLE_EQ(slice, 7e7);
}

}  // namespace
}  // namespace aioscope
