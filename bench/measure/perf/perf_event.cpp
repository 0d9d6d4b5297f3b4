#include "bench/measure/perf/perf_event.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace aioscope {
namespace {

std::string called(int error) {
  const char* name = strerrorname_np(error);
  return fmt::format("perf_event_open: {}", name != nullptr ? name : std::strerror(error));
}

bool wants_raw_tracepoint(const perf_event_attr& attributes) {
  return attributes.type == PERF_TYPE_TRACEPOINT && (attributes.sample_type & PERF_SAMPLE_RAW) != 0;
}

Refusal seccomp_denies(int error) {
  return {error, called(error) + ": a seccomp filter denies the call, as in most containers",
          "run outside the container, or with a profile that allows perf_event_open "
          "(docker run --cap-add PERFMON, or --security-opt seccomp=unconfined)"};
}

// The kernel's own rule, without a capability; see its perf_allow_kernel and perf_allow_tracepoint.
bool level_allows(const perf_event_attr& attributes, int level) {
  if (wants_raw_tracepoint(attributes)) return level < 0;
  return level <= (attributes.exclude_kernel == 0 ? 1 : 2);
}

std::string allow_all(bool user_namespace) {
  const std::string sysctl = as_root("sysctl kernel.perf_event_paranoid=-1", user_namespace);
  return sysctl + (user_namespace ? " (CAP_PERFMON of this user namespace does not count)"
                                  : ", or CAP_PERFMON");
}

Refusal not_permitted(int error, const perf_event_attr& attributes, const PerfRights& rights) {
  const bool allowed =
      rights.capable || (rights.paranoid && level_allows(attributes, *rights.paranoid));
  // The kernel itself says EPERM only of raw tracepoint data; else it is EACCES.
  if (rights.seccomp && (allowed || (error == EPERM && !wants_raw_tracepoint(attributes)))) {
    return seccomp_denies(error);
  }
  if (allowed) {
    return {error, called(error) + ": a security module or the kernel's lockdown denies it",
            "see dmesg, and the module's audit log"};
  }
  const std::string level = rights.paranoid ? std::to_string(*rights.paranoid) : "unknown";
  const char* what = wants_raw_tracepoint(attributes) ? "what tracepoints record needs -1"
                     : attributes.exclude_kernel == 0 ? "counting in the kernel needs 1 or less"
                                                      : "this kernel allows this user no events";
  return {error,
          fmt::format("{}: kernel.perf_event_paranoid is {} and {} or CAP_PERFMON", called(error),
                      level, what),
          allow_all(rights.user_namespace)};
}

Refusal unknown_event(int error, const perf_event_attr& attributes) {
  if (attributes.type == PERF_TYPE_TRACEPOINT) {
    return {error, called(error) + ": this kernel has no such tracepoint",
            "see 'aioscope list counters'"};
  }
  if (attributes.type == PERF_TYPE_SOFTWARE) {
    return {error, called(error) + ": this kernel does not know the event", "use a newer kernel"};
  }
  return {error, called(error) + ": this machine has no PMU that counts it",
          "let the hypervisor pass the PMU through, or use another machine"};
}

Refusal not_understood(int error, const perf_event_attr& attributes, const PerfRights& rights) {
  if (attributes.freq != 0 && rights.max_sample_rate &&
      attributes.sample_freq > *rights.max_sample_rate) {
    return {
        error,
        fmt::format("{}: {} Hz are asked for and kernel.perf_event_max_sample_rate is {}",
                    called(error), std::uint64_t(attributes.sample_freq), *rights.max_sample_rate),
        fmt::format("ask for {} Hz or less, or {}", *rights.max_sample_rate,
                    as_root(fmt::format("sysctl kernel.perf_event_max_sample_rate={}",
                                        std::uint64_t(attributes.sample_freq)),
                            rights.user_namespace))};
  }
  if (attributes.type == PERF_TYPE_TRACEPOINT) return unknown_event(error, attributes);
  return {error, called(error) + ": the kernel does not take the event as it is asked for",
          "another event, or without :u and :k"};
}

// The initial user namespace maps every user to himself. A kernel without them has no such file.
bool in_user_namespace(const std::filesystem::path& root) {
  std::ifstream map(root / "proc/self/uid_map");
  std::uint64_t inside = 0, outside = 0, count = 0;
  if (!map) return false;
  constexpr std::uint64_t kAll = UINT32_MAX;
  return !(map >> inside >> outside >> count) || inside != 0 || outside != 0 || count != kAll;
}

}  // namespace

std::string as_root(std::string_view command, bool user_namespace) {
  return fmt::format("{}sudo {}", user_namespace ? "outside this user namespace: " : "", command);
}

Refusal too_many_files(int error, std::string_view what) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return {error,
          fmt::format("{}: {}: an event of each thread is a file, and the limit is {}", what,
                      strerrorname_np(error), std::uint64_t(limit.rlim_cur)),
          "ulimit -n 65536, fewer threads or fewer counters"};
}

PerfRights perf_rights(const std::filesystem::path& root) {
  PerfRights rights;
  int level = 0;
  if (std::ifstream(root / "proc/sys/kernel/perf_event_paranoid") >> level) rights.paranoid = level;
  std::uint64_t rate = 0;
  if (std::ifstream(root / "proc/sys/kernel/perf_event_max_sample_rate") >> rate) {
    rights.max_sample_rate = rate;
  }
  rights.user_namespace = in_user_namespace(root);
  std::ifstream status(root / "proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) {
      const std::uint64_t effective = std::strtoull(line.c_str() + 7, nullptr, 16);
      const std::uint64_t enough = 1ull << CAP_PERFMON | 1ull << CAP_SYS_ADMIN;
      rights.capable = (effective & enough) != 0 && !rights.user_namespace;
    }
    if (line.starts_with("Seccomp:")) rights.seccomp = line.find('2') != std::string::npos;
  }
  return rights;
}

Refusal explain_refusal(int error, const perf_event_attr& attributes, const PerfRights& rights) {
  switch (error) {
    case EACCES:
    case EPERM:
      return not_permitted(error, attributes, rights);
    case ENOSYS:
      if (rights.seccomp) return seccomp_denies(error);
      return {error, called(error) + ": this kernel has no perf events",
              "boot a kernel with CONFIG_PERF_EVENTS"};
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return unknown_event(error, attributes);
    case EINVAL:
      return not_understood(error, attributes, rights);
    case EOPNOTSUPP:
      return {error,
              called(error) + (attributes.sample_period != 0
                                   ? ": the PMU cannot sample this event"
                                   : ": the PMU cannot count this event as asked for"),
              "another event, or another machine"};
    case EMFILE:
    case ENFILE:
      return too_many_files(error, "perf_event_open");
    case EBUSY:
      return {error, called(error) + ": somebody else has the PMU for himself",
              "stop other profilers; for the NMI watchdog: sudo sysctl kernel.nmi_watchdog=0"};
    case ESRCH:
      return {error, called(error) + ": the thread has ended", ""};
    default:
      return {error, fmt::format("{}: {}", called(error), std::strerror(error)), "see dmesg"};
  }
}

perf_event_attr event_attributes(std::uint32_t type, std::uint64_t config) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = type;
  attributes.config = config;
  return attributes;
}

PerfEvent::PerfEvent(const perf_event_attr& attributes, pid_t thread, const PerfEvent* leader,
                     int cpu) {
  const long fd = syscall(SYS_perf_event_open, &attributes, thread, cpu,
                          leader == nullptr ? -1 : leader->fd(), PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) {
    refusal_ = explain_refusal(errno, attributes, perf_rights());
  } else {
    descriptor_ = Descriptor(int(fd));
  }
}

}  // namespace aioscope
