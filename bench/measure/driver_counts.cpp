#include "bench/measure/driver_counts.h"

#include <algorithm>

#include "bench/measure/histogram.h"

namespace aioscope {

LockSiteCount operator-(LockSiteCount later, const LockSiteCount& earlier) {
  later.acquisitions -= earlier.acquisitions;
  later.contended -= earlier.contended;
  later.wait_ns -= earlier.wait_ns;
  later.waits -= earlier.waits;
  return later;
}

LockSiteCount& operator+=(LockSiteCount& sum, const LockSiteCount& more) {
  sum.acquisitions += more.acquisitions;
  sum.contended += more.contended;
  sum.wait_ns += more.wait_ns;
  sum.waits += more.waits;
  return sum;
}

DriverCounts operator-(DriverCounts later, const DriverCounts& earlier) {
  const std::size_t sites = std::min(later.locks.size(), earlier.locks.size());
  for (std::size_t i = 0; i < sites; ++i) later.locks[i] = later.locks[i] - earlier.locks[i];
  later.shared_rmw -= earlier.shared_rmw;
  later.allocations -= earlier.allocations;
  later.wakeups -= earlier.wakeups;
  return later;
}

DriverCounts& operator+=(DriverCounts& sum, const DriverCounts& more) {
  sum.locks.resize(std::max(sum.locks.size(), more.locks.size()));
  for (std::size_t i = 0; i < more.locks.size(); ++i) sum.locks[i] += more.locks[i];
  sum.shared_rmw += more.shared_rmw;
  sum.allocations += more.allocations;
  sum.wakeups += more.wakeups;
  return sum;
}

WaitTimes wait_times(const WaitHistogram& waits) {
  LatencyHistogram upper_ends;
  for (std::size_t i = 0; i < waits.counts.size(); ++i) {
    if (waits.counts[i] > 0) upper_ends.record(WaitBuckets::low(i + 1) - 1, waits.counts[i]);
  }
  WaitTimes times{.p50_ns = supported_percentile_ns(upper_ends, 0.50),
                  .p99_ns = supported_percentile_ns(upper_ends, 0.99)};
  if (upper_ends.count() > 0) times.max_ns = double(upper_ends.max_ns());
  return times;
}

}  // namespace aioscope
