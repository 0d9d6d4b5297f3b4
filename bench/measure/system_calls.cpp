#include "bench/measure/system_calls.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace aioscope {
namespace {

std::optional<std::uint64_t> tracepoint_id() {
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    std::ifstream file(std::string(root) + "/events/raw_syscalls/sys_enter/id");
    std::uint64_t id = 0;
    if (file >> id) return id;
  }
  return std::nullopt;
}

}  // namespace

SystemCallCounter::SystemCallCounter(std::span<const pid_t> threads) {
  const auto id = tracepoint_id();
  if (!id) {
    reason_ = access("/sys/kernel/tracing", F_OK) == 0
                  ? "tracefs is not mounted or not readable; as root: mount -t tracefs tracefs "
                    "/sys/kernel/tracing"
                  : "the kernel has no tracefs";
    return;
  }
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = *id;
  for (const pid_t thread : threads) {
    const long descriptor =
        syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (descriptor < 0) {
      reason_ =
          fmt::format("perf_event_open: {}; needs CAP_PERFMON or kernel.perf_event_paranoid <= -1",
                      std::strerror(errno));
      for (const int open : descriptors_) close(open);
      descriptors_.clear();
      return;
    }
    descriptors_.push_back(int(descriptor));
  }
}

SystemCallCounter::~SystemCallCounter() {
  for (const int descriptor : descriptors_) close(descriptor);
}

std::optional<std::uint64_t> SystemCallCounter::read() const {
  if (descriptors_.empty()) return std::nullopt;
  std::uint64_t total = 0;
  for (const int descriptor : descriptors_) {
    std::uint64_t count = 0;
    if (::read(descriptor, &count, sizeof count) != sizeof count) return std::nullopt;
    total += count;
  }
  return total;
}

}  // namespace aioscope
