#include "bench/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/values.h"

namespace aioscope {
namespace {

using enum FindingStatus;

constexpr std::size_t kThreadsOfTheCoverLetter = 5;  // 4 submitters and 1 reaper
constexpr double kStealLimit = 0.01;
constexpr double kLoadLimit = 0.5;
constexpr std::uint64_t kMemlockEnough = 64ull << 20;
constexpr std::uint64_t kAioEventsEnough = 16'384;

// (major, minor) of "6.1.0-18-amd64".
std::optional<std::pair<int, int>> version_of(const std::string& release) {
  int major = 0, minor = 0;
  if (std::sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) return std::nullopt;
  return std::pair(major, minor);
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

Finding kernel(const Machine& machine) {
  const auto version = version_of(machine.kernel);
  if (!version) return {"kernel", kNote, "unknown", "/proc/sys/kernel/osrelease says nothing", ""};
  if (*version < std::pair(5, 1)) {
    return {"kernel", kProblem, machine.kernel, "has no io_uring, which came with 5.1",
            "boot a newer kernel"};
  }
  if (*version < std::pair(6, 1)) {
    return {"kernel", kNote, machine.kernel,
            "io_uring lacks SINGLE_ISSUER or DEFER_TASKRUN (6.0, 6.1): private rings are slower "
            "than they can be",
            "boot 6.1 or newer"};
  }
  return {"kernel", kOk, machine.kernel, "has what every driver uses", ""};
}

Finding cpus(const Machine& machine) {
  const Topology& topology = machine.topology;
  const std::size_t count = topology.cpus.size();
  const std::string value =
      fmt::format("{}, {}, {}", counted(count, "CPU"), counted(topology.cores(), "core"),
                  counted(topology.packages(), "package"));
  if (count < kThreadsOfTheCoverLetter) {
    return {"cpus", kNote, value,
            fmt::format("4 submitters and 1 reaper share {}: rows with more threads than CPUs "
                        "are marked oversubscribed, since their waits include preemption",
                        counted(count, "CPU")),
            "use a machine with 5 CPUs or more, or --submitters that fit"};
  }
  return {"cpus", kOk, value, "4 submitters and 1 reaper have a CPU each", ""};
}

Finding smt(const Machine& machine) {
  if (!machine.topology.smt()) {
    return {"smt", kOk, "off", "every CPU is a core of its own, as far as the kernel knows", ""};
  }
  return {"smt", kNote, "on",
          "two threads may share a core, and then each is slower than alone; the scheduler chooses",
          "place threads with --pin spread, or: echo off | sudo tee "
          "/sys/devices/system/cpu/smt/control"};
}

Finding numa(const Machine& machine) {
  const std::size_t nodes = machine.topology.nodes();
  if (nodes <= 1) return {"numa", kOk, "1 node", "all memory is equally near", ""};
  return {"numa", kNote, fmt::format("{} nodes", nodes),
          "a cacheline that moves between nodes costs several times one that does not",
          "keep to a node with --pin compact, or over all with --pin spread, and say which"};
}

Finding virtual_machine(const Machine& machine) {
  if (!machine.virtual_machine) {
    return {"virtual_machine", kOk, "no", "no hypervisor announces itself", ""};
  }
  return {"virtual_machine", kNote, "yes",
          "interrupts, wake-ups and preemption cost more than on the metal: compare rows with each "
          "other, not with other machines",
          "for absolute numbers use a machine of your own"};
}

Finding governor(const Machine& machine) {
  if (machine.governors.empty()) {
    return {"governor", machine.virtual_machine ? kOk : kNote, "none",
            "the clock frequency is not in this kernel's hands", ""};
  }
  const std::string value = fmt::format("{}", fmt::join(machine.governors, ", "));
  if (machine.governors == std::vector<std::string>{"performance"}) {
    return {"governor", kOk, value, "the clock frequency does not follow the load", ""};
  }
  return {
      "governor", kNote, value,
      "the clock frequency follows the load: short rows and idle waits measure the governor too",
      "sudo cpupower frequency-set -g performance"};
}

Finding turbo(const Machine& machine) {
  if (!machine.turbo) return {"turbo", kOk, "unknown", "the kernel does not say", ""};
  if (!*machine.turbo) return {"turbo", kOk, "off", "all cores keep their nominal frequency", ""};
  return {"turbo", kNote, "on",
          "the frequency depends on how many cores are busy, so that scaling over threads looks "
          "worse than it is",
          "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo (Intel), or echo 0 | "
          "sudo tee /sys/devices/system/cpu/cpufreq/boost"};
}

Finding perf_event_paranoid(const Machine& machine) {
  constexpr std::string_view kId = "perf_event_paranoid";
  if (!machine.perf_event_paranoid) {
    return {kId, kProblem, "missing", "this kernel has no perf events: no counters and no profile",
            "boot a kernel with CONFIG_PERF_EVENTS"};
  }
  const int level = *machine.perf_event_paranoid;
  const std::string value = std::to_string(level);
  const std::string cure = as_root("sysctl kernel.perf_event_paranoid=-1", machine.user_namespace);
  if (machine.perf_capable) {
    return {kId, kOk, value, "does not bind this user, who has CAP_PERFMON", ""};
  }
  if (level >= 2) {
    return {kId, kProblem, value,
            level > 2 ? "no tracepoints and no kernel part in profiles and counters for this user, "
                        "and with some distributions' kernels no perf events at all"
                      : "no tracepoints and no kernel part in profiles and counters for this user",
            cure};
  }
  if (level >= 0) {
    return {
        kId, kNote, value,
        "tracepoints may be counted but not recorded by this user: --locks sees no waits for the "
        "kernel's locks",
        cure};
  }
  return {kId, kOk, value, "counters, profiles and tracepoints are allowed", ""};
}

Finding kptr_restrict(const Machine& machine) {
  if (!machine.kptr_restrict) return {"kptr_restrict", kNote, "unknown", "/proc says nothing", ""};
  const int level = *machine.kptr_restrict;
  const std::string value = std::to_string(level);
  if (machine.kernel_names) {
    return {"kptr_restrict", kOk, value, "kernel functions have names in profiles", ""};
  }
  // With 0 they are still hidden from those whom perf_event_paranoid denies the kernel.
  return {"kptr_restrict", kNote, value,
          "kernel addresses are hidden: the kernel's part of a profile has no names",
          as_root(kShowKernelNames, machine.user_namespace)};
}

Finding pmu(const Machine& machine) {
  if (machine.cycles_errno == 0) {
    return {"pmu", kOk, fmt::format("{}", fmt::join(machine.pmus, ", ")), "hardware counters work",
            ""};
  }
  const std::string value =
      fmt::format("none (perf_event_open: {})", std::strerror(machine.cycles_errno));
  if (machine.cycles_errno == EACCES || machine.cycles_errno == EPERM) {
    return {"pmu", kProblem, value, "this user may not count cycles or cache misses",
            as_root("sysctl kernel.perf_event_paranoid=-1", machine.user_namespace)};
  }
  return {"pmu", kNote, value,
          "no hardware counters here: cycles and cache misses are null in results; software events "
          "and tracepoints work without",
          machine.virtual_machine
              ? "let the hypervisor pass the PMU through, or use another machine"
              : "load the kernel's PMU driver for this CPU"};
}

struct InstrumentText {
  std::string_view id;
  std::string_view works;
  std::string_view without;  // what is missing in results
};
constexpr InstrumentText kInstruments[] = {
    {"counters", "--counters counts software events of each thread", "no --counters"},
    {"profile", "--profile samples stacks, user and kernel", "no --profile"},
    {"kernel_locks", "--locks sees waits for the kernel's locks",
     "--locks sees the drivers' own locks alone"},
    {"off_cpu", "--profile tells the time off the CPU", "no time off the CPU"}};

Finding instrument(const InstrumentProbe& probe, const InstrumentText& text) {
  if (probe.whole()) return {text.id, kOk, "works", std::string(text.works), ""};
  if (probe.works) {
    return {text.id, kNote, "in part",
            fmt::format("{}, but not {}: {}", text.works, probe.lacks, probe.refusal.reason),
            probe.refusal.cure};
  }
  return {text.id, kNote, "does not work",
          fmt::format("{}: {}", text.without, probe.refusal.reason), probe.refusal.cure};
}

void add_instruments(std::vector<Finding>& findings, const Machine& machine) {
  for (const InstrumentProbe& probe : machine.instruments) {
    const auto* text = std::ranges::find(kInstruments, probe.id, &InstrumentText::id);
    if (text != std::end(kInstruments)) findings.push_back(instrument(probe, *text));
  }
}

Finding io_uring_disabled(const Machine& machine) {
  constexpr std::string_view kId = "io_uring_disabled";
  if (!machine.io_uring_disabled) {
    return {kId, kOk, "no such sysctl", "kernels before 6.6 cannot turn io_uring off by it", ""};
  }
  const int level = *machine.io_uring_disabled;
  const std::string value = std::to_string(level);
  if (level == 0) return {kId, kOk, value, "io_uring is open to all", ""};
  if (level == 1 && machine.root) return {kId, kOk, value, "io_uring is open to root", ""};
  return {kId, kProblem, value,
          level == 1 ? "io_uring is closed to users outside kernel.io_uring_group"
                     : "io_uring is closed to all: its rows are skipped",
          "sudo sysctl kernel.io_uring_disabled=0"};
}

Finding aio_limit(const Machine& machine) {
  if (!machine.aio_nr || !machine.aio_max_nr) {
    return {"aio_max_nr", kProblem, "missing", "this kernel has no aio: libaio rows are skipped",
            "boot a kernel with CONFIG_AIO"};
  }
  const std::uint64_t left =
      *machine.aio_max_nr > *machine.aio_nr ? *machine.aio_max_nr - *machine.aio_nr : 0;
  const std::string value = fmt::format("{} of {} in use", *machine.aio_nr, *machine.aio_max_nr);
  if (left < kAioEventsEnough) {
    return {"aio_max_nr", kProblem, value,
            "libaio contexts with many requests cannot be made (io_setup: EAGAIN)",
            "sudo sysctl fs.aio-max-nr=1048576"};
  }
  return {"aio_max_nr", kOk, value, "room for libaio contexts", ""};
}

Finding tracefs(const Machine& machine) {
  if (machine.tracefs.empty()) {
    return {"tracefs", kNote, "not mounted",
            "system calls and kernel locks cannot be counted by tracepoints",
            "sudo mount -t tracefs tracefs /sys/kernel/tracing"};
  }
  if (!machine.tracefs_readable) {
    return {"tracefs", kNote, machine.tracefs,
            "is not readable for this user: system calls are counted by the drivers",
            tracefs_cure(machine.tracefs, machine.user_namespace)};
  }
  return {"tracefs", kOk, machine.tracefs, "tracepoints can be counted", ""};
}

Finding memlock(const Machine& machine) {
  if (!machine.memlock_bytes) return {"memlock", kNote, "unknown", "getrlimit failed", ""};
  const std::uint64_t bytes = *machine.memlock_bytes;
  if (bytes == UINT64_MAX) {
    return {"memlock", kOk, "unlimited", "buffers can be registered and rings made", ""};
  }
  const std::string value = size_text(bytes);
  if (machine.root || bytes >= kMemlockEnough) {
    return {"memlock", kOk, value, "enough for registered buffers", ""};
  }
  return {"memlock", kNote, value,
          "registered buffers beyond it are refused (io_uring@registered: ENOMEM); before Linux "
          "5.12 rings too",
          "ulimit -l unlimited, or a line '* - memlock unlimited' in /etc/security/limits.conf"};
}

Finding clock_source(const Machine& machine) {
  constexpr std::string_view kId = "clock_source";
  const std::string& source = machine.clock_source;
  if (source.empty()) return {kId, kNote, "unknown", "the kernel does not say", ""};
  if (source == "tsc" || source == "kvm-clock" || source == "arch_sys_counter") {
    return {kId, kOk, source, "the clock is read without a system call", ""};
  }
  return {kId, kProblem, source,
          "reading the clock enters the kernel: every latency has that cost in it",
          "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"};
}

Finding steal(const Machine& machine) {
  if (!machine.steal_share) return {"steal", kNote, "unknown", "/proc/stat does not say", ""};
  const std::string value = fmt::format("{:.1f} %", 100 * *machine.steal_share);
  if (*machine.steal_share > kStealLimit) {
    return {"steal", kProblem, value,
            "the hypervisor gives these CPUs to others: latencies have gaps that are not ours",
            "wait, or move to a host that is not shared"};
  }
  return {"steal", kOk, value, "the CPUs are ours", ""};
}

Finding load(const Machine& machine) {
  if (!machine.load) return {"load", kNote, "unknown", "/proc/loadavg does not say", ""};
  const std::string value = fmt::format("{:.2f}", *machine.load);
  if (*machine.load > kLoadLimit) {
    return {"load", kNote, value, "something else ran in the last minute and may disturb",
            "stop it, or wait; see top"};
  }
  return {"load", kOk, value, "nothing else runs", ""};
}

std::string_view status_name(FindingStatus status) {
  switch (status) {
    case kOk:
      return "ok";
    case kNote:
      return "note";
    case kProblem:
      return "problem";
  }
  return "?";
}

std::string_view color_of(FindingStatus status) {
  switch (status) {
    case kOk:
      return "\033[32m";
    case kNote:
      return "\033[33m";
    case kProblem:
      return "\033[31m";
  }
  return "";
}

}  // namespace

std::vector<Finding> diagnose(const Machine& machine) {
  std::vector<Finding> findings{kernel(machine),
                                cpus(machine),
                                smt(machine),
                                numa(machine),
                                virtual_machine(machine),
                                governor(machine),
                                turbo(machine),
                                clock_source(machine),
                                steal(machine),
                                load(machine),
                                perf_event_paranoid(machine),
                                kptr_restrict(machine),
                                pmu(machine),
                                tracefs(machine)};
  add_instruments(findings, machine);
  findings.push_back(io_uring_disabled(machine));
  findings.push_back(aio_limit(machine));
  findings.push_back(memlock(machine));
  return findings;
}

std::string doctor_text(const std::vector<Finding>& findings, bool color) {
  std::string text;
  for (const Finding& finding : findings) {
    text +=
        fmt::format("{}{:<8}{} {:<20} {}\n", color ? color_of(finding.status) : "",
                    status_name(finding.status), color ? "\033[0m" : "", finding.id, finding.value);
    text += fmt::format("{:9}{}\n", "", finding.meaning);
    if (finding.status != kOk && !finding.cure.empty()) {
      text += fmt::format("{:9}cure: {}\n", "", finding.cure);
    }
  }
  return text;
}

std::string doctor_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    array.push_back({{"id", finding.id},
                     {"status", status_name(finding.status)},
                     {"value", finding.value},
                     {"meaning", finding.meaning},
                     {"cure", finding.cure.empty() ? nlohmann::ordered_json(nullptr)
                                                   : nlohmann::ordered_json(finding.cure)}});
  }
  const nlohmann::ordered_json json{{"schema", "aioscope.doctor/1"}, {"findings", array}};
  return json.dump(2) + "\n";
}

}  // namespace aioscope
