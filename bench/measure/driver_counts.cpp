#include "bench/measure/driver_counts.h"

#include <algorithm>

namespace aioscope {

LockSiteCount operator-(const LockSiteCount& later, const LockSiteCount& earlier) {
  return {later.acquisitions - earlier.acquisitions, later.contended - earlier.contended,
          later.wait_ns - earlier.wait_ns};
}

LockSiteCount& operator+=(LockSiteCount& sum, const LockSiteCount& more) {
  sum.acquisitions += more.acquisitions;
  sum.contended += more.contended;
  sum.wait_ns += more.wait_ns;
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

}  // namespace aioscope
