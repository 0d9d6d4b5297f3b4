// Deadlines for system calls that take a relative time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "drivers/driver.h"

namespace aioscope {

// What is left until `deadline`; zero when it has passed. Reads the clock, unless the deadline is
// poll(). Not for never(), for which such a call takes no time at all.
inline timespec time_left(Deadline deadline) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (deadline.is_poll()) return {0, 0};
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t left =
      std::max<std::int64_t>(deadline.monotonic_ns() - (now.tv_sec * kSecond + now.tv_nsec), 0);
  return {left / kSecond, left % kSecond};
}

}  // namespace aioscope
