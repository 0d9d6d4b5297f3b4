#include "bench/measure/system_calls.h"

#include <unistd.h>

#include "bench/measure/perf/tracefs.h"

namespace aioscope {

SystemCallCounter::SystemCallCounter(std::span<const pid_t> threads) {
  const auto id = Tracefs().id("raw_syscalls:sys_enter");
  if (const auto* refusal = std::get_if<Refusal>(&id)) {
    reason_ = refusal->text();
    return;
  }
  const auto attributes = event_attributes(PERF_TYPE_TRACEPOINT, std::get<std::uint64_t>(id));
  for (const pid_t thread : threads) {
    events_.emplace_back(attributes, thread);
    if (events_.back().is_open()) continue;
    reason_ = events_.back().refusal().text();
    events_.clear();
    return;
  }
}

std::optional<std::uint64_t> SystemCallCounter::read() const {
  if (events_.empty()) return std::nullopt;
  std::uint64_t total = 0;
  for (const PerfEvent& event : events_) {
    std::uint64_t count = 0;
    if (::read(event.fd(), &count, sizeof count) != sizeof count) return std::nullopt;
    total += count;
  }
  return total;
}

}  // namespace aioscope
