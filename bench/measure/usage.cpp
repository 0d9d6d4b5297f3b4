#include "bench/measure/usage.h"

#include <time.h>

#include <algorithm>
#include <fstream>

namespace aioscope {
namespace {

Usage usage_of(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto ns = [](const timeval& time) {
    return std::uint64_t(time.tv_sec) * 1'000'000'000 + std::uint64_t(time.tv_usec) * 1'000;
  };
  return {.user_ns = ns(usage.ru_utime),
          .system_ns = ns(usage.ru_stime),
          .voluntary_switches = std::uint64_t(usage.ru_nvcsw),
          .involuntary_switches = std::uint64_t(usage.ru_nivcsw),
          .minor_faults = std::uint64_t(usage.ru_minflt),
          .major_faults = std::uint64_t(usage.ru_majflt)};
}

}  // namespace

Usage Usage::operator-(const Usage& earlier) const {
  return {.user_ns = user_ns - earlier.user_ns,
          .system_ns = system_ns - earlier.system_ns,
          .voluntary_switches = voluntary_switches - earlier.voluntary_switches,
          .involuntary_switches = involuntary_switches - earlier.involuntary_switches,
          .minor_faults = minor_faults - earlier.minor_faults,
          .major_faults = major_faults - earlier.major_faults};
}

Usage Usage::without(const Usage& part) const {
  const Usage most{
      .user_ns = std::min(user_ns, part.user_ns),
      .system_ns = std::min(system_ns, part.system_ns),
      .voluntary_switches = std::min(voluntary_switches, part.voluntary_switches),
      .involuntary_switches = std::min(involuntary_switches, part.involuntary_switches),
      .minor_faults = std::min(minor_faults, part.minor_faults),
      .major_faults = std::min(major_faults, part.major_faults)};
  return *this - most;
}

Usage usage_of_this_thread() { return usage_of(RUSAGE_THREAD); }
Usage usage_of_process() { return usage_of(RUSAGE_SELF); }

std::optional<std::uint64_t> cpu_ns_of(pid_t tid) {
  // What pthread_getcpuclockid() makes of a thread, of which it wants more than the number.
  constexpr unsigned kOfOneThread = 4, kOfTheScheduler = 2;
  const auto clock = clockid_t(~unsigned(tid) << 3 | kOfOneThread | kOfTheScheduler);
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return std::nullopt;
  return std::uint64_t(time.tv_sec) * 1'000'000'000 + std::uint64_t(time.tv_nsec);
}

std::optional<std::uint64_t> migrations_of(pid_t tid) {
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/sched");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("se.nr_migrations")) continue;
    const auto colon = line.find(':');
    if (colon == std::string::npos) return std::nullopt;
    return std::strtoull(line.c_str() + colon + 1, nullptr, 10);
  }
  return std::nullopt;
}

}  // namespace aioscope
