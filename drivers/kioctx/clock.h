#pragma once

#include <cstdint>
#include <ctime>

namespace aioscope::kioctx {

inline std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// The tick of v3.7's timers: HZ = 250, what distributions of the time shipped.
inline constexpr std::int64_t kHz = 250;
inline constexpr std::int64_t kJiffyNs = 1'000'000'000 / kHz;

}  // namespace aioscope::kioctx
