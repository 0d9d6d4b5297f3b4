#pragma once

#include <span>

#include "drivers/driver.h"

namespace aioscope {

// The kernel's AIO context in userspace, a row for each stage of the series: kioctx@v3.7,
// kioctx@series.
std::span<const Driver> kioctx_drivers();

}  // namespace aioscope
