#pragma once

#include <span>

#include "drivers/driver.h"

namespace aioscope {

// io_uring through liburing: io_uring, io_uring@one-lock, io_uring@sqpoll, io_uring@registered.
std::span<const Driver> io_uring_drivers();

}  // namespace aioscope
