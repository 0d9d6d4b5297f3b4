// Latency histogram with log-linear buckets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "drivers/log_linear.h"

namespace aioscope {

// Values in nanoseconds from 0 to 2^42 - 1 (73 minutes); larger ones count in the last bucket. A
// bucket is at most 1/64 (1.6 %) of its lower bound wide. Percentiles are taken from merged
// histograms, never averaged. One writer; reading while it writes is a race.
class LatencyHistogram {
 public:
  using Buckets = LogLinear<6, 42>;
  static constexpr std::size_t kBuckets = Buckets::kBuckets;

  void record(std::uint64_t value_ns, std::uint64_t count = 1) {
    counts_[Buckets::bucket_of(value_ns)] += count;
    count_ += count;
    sum_ns_ += value_ns * count;
    if (value_ns > max_ns_) max_ns_ = value_ns;
    if (value_ns < min_ns_) min_ns_ = value_ns;
  }
  void merge(const LatencyHistogram& other);
  void reset() { *this = LatencyHistogram{}; }

  std::uint64_t count() const { return count_; }
  std::uint64_t max_ns() const { return max_ns_; }  // exact; 0 when empty
  std::uint64_t min_ns() const { return count_ == 0 ? 0 : min_ns_; }
  double mean_ns() const;  // exact; NaN when empty

  // The smallest bucket bound that at least `fraction` (0..1] of the values do not exceed: the
  // upper end of the bucket, or the exact maximum if that is smaller. NaN when empty.
  double percentile_ns(double fraction) const;

  std::uint64_t bucket_count(std::size_t bucket) const { return counts_[bucket]; }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ns_ = 0;
  std::uint64_t max_ns_ = 0;
  std::uint64_t min_ns_ = UINT64_MAX;
};

// A latency below which `fraction` of the operations lie, or NaN when fewer than 10 operations lie
// beyond it and it would rest on chance.
double supported_percentile_ns(const LatencyHistogram& latency, double fraction);

}  // namespace aioscope
