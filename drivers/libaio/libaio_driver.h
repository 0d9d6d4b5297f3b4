#pragma once

#include <span>

#include "drivers/driver.h"

namespace aioscope {

// The kernel's AIO through the library libaio: libaio, libaio@user-reap, libaio@eventfd.
std::span<const Driver> libaio_drivers();

}  // namespace aioscope
