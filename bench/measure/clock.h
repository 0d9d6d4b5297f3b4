#pragma once

#include <cstdint>
#include <ctime>

namespace aioscope {

inline std::int64_t clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// CLOCK_MONOTONIC in nanoseconds, by the vDSO: no system call where the clock source is a TSC.
inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

inline void sleep_until_ns(std::int64_t monotonic_ns) {
  const timespec until{monotonic_ns / 1'000'000'000, monotonic_ns % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace aioscope
