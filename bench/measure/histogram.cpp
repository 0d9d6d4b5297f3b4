#include "bench/measure/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace aioscope {

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
  min_ns_ = std::min(min_ns_, other.min_ns_);
}

double LatencyHistogram::mean_ns() const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(sum_ns_) / static_cast<double>(count_);
}

double LatencyHistogram::percentile_ns(double fraction) const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen < rank) continue;
    if (bucket + 1 == kBuckets) break;
    return static_cast<double>(std::min(Buckets::low(bucket + 1) - 1, max_ns_));
  }
  return static_cast<double>(max_ns_);
}

double supported_percentile_ns(const LatencyHistogram& latency, double fraction) {
  constexpr double kBeyond = 10;
  constexpr double kRounding = 1e-6;  // 100 * (1 - 0.9) is less than 10 in binary
  if (double(latency.count()) * (1 - fraction) < kBeyond - kRounding) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return latency.percentile_ns(fraction);
}

}  // namespace aioscope
