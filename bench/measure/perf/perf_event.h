// perf_event_open: an event of one thread, or why it cannot be had and what mends it.
#pragma once

#include <linux/perf_event.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "bench/descriptor.h"

namespace aioscope {

// Why something of the kernel's perf or tracing cannot be had here.
struct Refusal {
  int error = 0;       // errno; 0: none was involved
  std::string reason;  // "perf_event_open: EACCES: kernel.perf_event_paranoid is 2 and ..."
  std::string cure;    // a command or an advice
  std::string text() const { return cure.empty() ? reason : reason + "; " + cure; }
};

// What decides whether perf_event_open is allowed.
struct PerfRights {
  std::optional<int> paranoid;  // kernel.perf_event_paranoid; nullopt: no perf events at all
  bool capable = false;         // CAP_PERFMON or CAP_SYS_ADMIN: `paranoid` does not bind
  bool user_namespace = false;  // of a container: the kernel asks for capabilities outside it
  bool seccomp = false;         // a filter is in force and may deny the call
  std::optional<std::uint64_t> max_sample_rate;  // kernel.perf_event_max_sample_rate, Hz
};
// From the files under `root`, of the calling thread.
PerfRights perf_rights(const std::filesystem::path& root = "/");

// `command` as root, from where it has an effect.
std::string as_root(std::string_view command, bool user_namespace);

// EMFILE or ENFILE of opening `what`.
Refusal too_many_files(int error, std::string_view what);

// What `error` of perf_event_open with these attributes means for one who has `rights`.
Refusal explain_refusal(int error, const perf_event_attr& attributes, const PerfRights& rights);

// All zero but for the size: user, kernel, enabled, of one thread only (no inherit).
perf_event_attr event_attributes(std::uint32_t type, std::uint64_t config);

// One event of one thread of this process on whatever CPU it runs; closed with the object.
class PerfEvent {
 public:
  PerfEvent() = default;  // not open
  // `thread` is 0 for the calling one. With a `leader` the event joins its group. `attributes` must
  // not ask to be inherited: threads that are started later have events of their own. The event of
  // all threads on one CPU has `thread` -1.
  PerfEvent(const perf_event_attr& attributes, pid_t thread, const PerfEvent* leader = nullptr,
            int cpu = -1);

  bool is_open() const { return descriptor_.get() >= 0; }
  int fd() const { return descriptor_.get(); }
  const Refusal& refusal() const { return refusal_; }  // of one that is not open

 private:
  Descriptor descriptor_;
  Refusal refusal_;
};

}  // namespace aioscope
