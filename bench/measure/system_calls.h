// System calls of a set of threads, counted by the kernel at the tracepoint raw_syscalls:sys_enter.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/measure/perf/perf_event.h"

namespace aioscope {

// While a counter exists every system call of the machine takes the kernel's traced path and is
// slower. It is therefore opened only outside the timed window.
class SystemCallCounter {
 public:
  // Counting starts at once. When it cannot be had, read() is nullopt and reason() says why.
  explicit SystemCallCounter(std::span<const pid_t> threads);

  // Calls since the construction, over all threads.
  std::optional<std::uint64_t> read() const;
  const std::string& reason() const { return reason_; }

 private:
  std::vector<PerfEvent> events_;
  std::string reason_;
};

}  // namespace aioscope
