// Arithmetic on what drivers count of themselves.
#pragma once

#include "drivers/driver.h"

namespace aioscope {

LockSiteCount operator-(const LockSiteCount& later, const LockSiteCount& earlier);
LockSiteCount& operator+=(LockSiteCount& sum, const LockSiteCount& more);

// Of two looks at the same source, the later one first. An empty side has no lock sites and is 0.
DriverCounts operator-(DriverCounts later, const DriverCounts& earlier);
DriverCounts& operator+=(DriverCounts& sum, const DriverCounts& more);

}  // namespace aioscope
