// How long a contended lock was waited for: the buckets in which drivers count it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "drivers/log_linear.h"

namespace aioscope {

// In nanoseconds, up to 2^36 (69 s); a bucket is at most 1/8 of its lower bound wide.
using WaitBuckets = LogLinear<3, 36>;

// Counts of one lock's waits by their length. Plain data; one writer.
struct WaitHistogram {
  std::array<std::uint64_t, WaitBuckets::kBuckets> counts{};

  void record(std::uint64_t wait_ns) { ++counts[WaitBuckets::bucket_of(wait_ns)]; }
  WaitHistogram& operator+=(const WaitHistogram& more) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += more.counts[i];
    return *this;
  }
  WaitHistogram& operator-=(const WaitHistogram& earlier) {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= earlier.counts[i];
    return *this;
  }
};

}  // namespace aioscope
