#pragma once

#include <span>

#include "drivers/driver.h"

namespace aioscope {

// preadv2() and pwritev2() inside submit: what a user would fall back to.
std::span<const Driver> sync_drivers();

}  // namespace aioscope
