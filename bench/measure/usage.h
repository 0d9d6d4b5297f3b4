// What the kernel accounts to a thread or to the process.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace aioscope {

// User and system time come from getrusage: their sum is exact to the microsecond, their split is
// the kernel's estimate from timer ticks unless it accounts CPU time precisely.
struct Usage {
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
  std::uint64_t voluntary_switches = 0;
  std::uint64_t involuntary_switches = 0;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;

  Usage operator-(const Usage& earlier) const;
  // Less what a part of it has used. Never below 0, since the kernel estimates the two splits of
  // user and system time one by one.
  Usage without(const Usage& part) const;
};

Usage usage_of_this_thread();
Usage usage_of_process();

// CPU time of a thread of this process since it began; nullopt when it has ended.
std::optional<std::uint64_t> cpu_ns_of(pid_t tid);

// Times the scheduler moved the thread to another CPU, from /proc/self/task/TID/sched. nullopt
// where the kernel has no such file (CONFIG_SCHED_DEBUG).
std::optional<std::uint64_t> migrations_of(pid_t tid);

}  // namespace aioscope
