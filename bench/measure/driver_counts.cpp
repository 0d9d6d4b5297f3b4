#include "bench/measure/driver_counts.h"

#include <algorithm>

namespace aioscope {

DriverCounts operator-(DriverCounts later, const DriverCounts& earlier) {
  const std::size_t sites = std::min(later.locks.size(), earlier.locks.size());
  for (std::size_t i = 0; i < sites; ++i) {
    later.locks[i].acquisitions -= earlier.locks[i].acquisitions;
    later.locks[i].contended -= earlier.locks[i].contended;
    later.locks[i].wait_ns -= earlier.locks[i].wait_ns;
  }
  later.shared_rmw -= earlier.shared_rmw;
  later.allocations -= earlier.allocations;
  later.wakeups -= earlier.wakeups;
  return later;
}

DriverCounts& operator+=(DriverCounts& sum, const DriverCounts& more) {
  sum.locks.resize(std::max(sum.locks.size(), more.locks.size()));
  for (std::size_t i = 0; i < more.locks.size(); ++i) {
    sum.locks[i].acquisitions += more.locks[i].acquisitions;
    sum.locks[i].contended += more.locks[i].contended;
    sum.locks[i].wait_ns += more.locks[i].wait_ns;
  }
  sum.shared_rmw += more.shared_rmw;
  sum.allocations += more.allocations;
  sum.wakeups += more.wakeups;
  return sum;
}

}  // namespace aioscope
