#include "bench/measure/statistics.h"

#include <algorithm>
#include <cmath>

namespace aioscope {
namespace {

struct MeanAndVariance {
  double mean = 0;
  double variance = 0;  // of a single value, with n - 1
};

MeanAndVariance mean_and_variance(std::span<const double> values) {
  MeanAndVariance result;
  for (const double value : values) result.mean += value;
  result.mean /= double(values.size());
  for (const double value : values) {
    result.variance += (value - result.mean) * (value - result.mean);
  }
  result.variance /= double(values.size() - 1);
  return result;
}

}  // namespace

double jain_index(std::span<const std::uint64_t> shares) {
  double sum = 0, squares = 0;
  for (const std::uint64_t share : shares) {
    sum += double(share);
    squares += double(share) * double(share);
  }
  return squares == 0 ? 1 : sum * sum / (double(shares.size()) * squares);
}

double min_over_max(std::span<const std::uint64_t> shares) {
  if (shares.empty()) return 1;
  const auto [min, max] = std::ranges::minmax(shares);
  return max == 0 ? 1 : double(min) / double(max);
}

SteadyState steady_state(std::span<const double> slices) {
  if (slices.size() < 4) return {};
  const std::size_t half = slices.size() / 2;
  const auto first = mean_and_variance(slices.first(half));
  const auto second = mean_and_variance(slices.last(half));
  const double mean = (first.mean + second.mean) / 2;
  if (mean == 0) return {};
  const double difference = second.mean - first.mean;
  const double standard_error = std::sqrt((first.variance + second.variance) / double(half));
  SteadyState state{.drift = difference / mean};
  state.steady = std::abs(state.drift) <= 0.10 || std::abs(difference) <= 3 * standard_error;
  return state;
}

void SliceRecorder::add(std::uint64_t operations, std::uint64_t elapsed_ns) {
  if (additions_ > 0) {
    slices_.back().operations += operations;
    slices_.back().elapsed_ns += elapsed_ns;
  } else {
    if (slices_.size() == kMostSlices) {
      for (std::size_t i = 0; i < kMostSlices / 2; ++i) {
        slices_[i] = {slices_[2 * i].operations + slices_[2 * i + 1].operations,
                      slices_[2 * i].elapsed_ns + slices_[2 * i + 1].elapsed_ns};
      }
      slices_.resize(kMostSlices / 2);
      slice_ns_ *= 2;
      additions_per_slice_ *= 2;
    }
    slices_.push_back({operations, elapsed_ns});
  }
  if (++additions_ == additions_per_slice_) additions_ = 0;
}

std::vector<double> SliceRecorder::operations_per_s() const {
  std::vector<double> result;
  for (const Slice& slice : slices_) {
    if (slice.elapsed_ns > 0) {
      result.push_back(double(slice.operations) * 1e9 / double(slice.elapsed_ns));
    }
  }
  return result;
}

}  // namespace aioscope
