#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "bench/row.h"
#include "bench/workload/random.h"

namespace aioscope {

// Which calls of a thread are timed: each has the same chance, so that sums over the timed ones are
// in the ratio of sums over all. With full latency every call, without latency none, else so many
// that about one operation in 256 pays for them.
class CallSampler {
 public:
  CallSampler(LatencyMode latency, std::uint32_t batch, std::uint64_t seed)
      : mean_distance_(
            latency == LatencyMode::kFull ? 1 : std::max(1u, kOperations / std::max(1u, batch))),
        next_(latency == LatencyMode::kOff ? std::numeric_limits<std::uint64_t>::max() : 1),
        random_(seed) {}

  // Of the call with this number, counted from 1.
  bool due(std::uint64_t call) const { return call >= next_; }
  // After a call that was due. The next is at a random distance, so that the timed ones cannot
  // march in step with something periodic.
  void advance(std::uint64_t call) { next_ = call + 1 + random_.below(2 * mean_distance_ - 1); }

 private:
  static constexpr std::uint32_t kOperations = 256;

  const std::uint64_t mean_distance_;  // calls, on average
  std::uint64_t next_;
  Random random_;
};

}  // namespace aioscope
