// Arithmetic on what drivers count of themselves.
#pragma once

#include <limits>

#include "drivers/driver.h"

namespace aioscope {

LockSiteCount operator-(LockSiteCount later, const LockSiteCount& earlier);
LockSiteCount& operator+=(LockSiteCount& sum, const LockSiteCount& more);

// Of two looks at the same source, the later one first. An empty side has no lock sites and is 0.
DriverCounts operator-(DriverCounts later, const DriverCounts& earlier);
DriverCounts& operator+=(DriverCounts& sum, const DriverCounts& more);

// How long one contended acquisition waits: the upper ends of buckets, at most 1/8 too much. NaN
// where too few waited to say (see supported_percentile_ns), max_ns where none did.
struct WaitTimes {
  double p50_ns = std::numeric_limits<double>::quiet_NaN();
  double p99_ns = std::numeric_limits<double>::quiet_NaN();
  double max_ns = std::numeric_limits<double>::quiet_NaN();
};
WaitTimes wait_times(const WaitHistogram& waits);

}  // namespace aioscope
