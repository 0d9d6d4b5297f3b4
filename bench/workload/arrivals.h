// Open loop: when operations are meant to start.
#pragma once

#include <cstdint>

#include "bench/row.h"
#include "bench/workload/random.h"

namespace aioscope {

// The intended start times of one submitter. They do not wait for anything: an operation that
// starts late has its latency counted from the time it was meant to start (no coordinated
// omission).
class Arrivals {
 public:
  // `rate_per_s` of this submitter; > 0.
  Arrivals(double rate_per_s, Arrival kind, std::uint64_t seed)
      : mean_ns_(1e9 / rate_per_s), kind_(kind), random_(seed) {}

  // The first start is one interval after `now`.
  void start(std::int64_t now_ns) {
    next_ns_ = double(now_ns);
    advance();
  }
  std::int64_t next_ns() const { return std::int64_t(next_ns_); }
  void advance() {
    next_ns_ += kind_ == Arrival::kConstant ? mean_ns_ : random_.exponential(mean_ns_);
  }

 private:
  double mean_ns_;
  Arrival kind_;
  Random random_;
  double next_ns_ = 0;  // a double holds 2^53 ns, 104 days of uptime, to the nanosecond
};

}  // namespace aioscope
