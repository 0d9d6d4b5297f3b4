#include "bench/machine.h"

#include <fmt/format.h>
#include <perfmon/pfmlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>
#include <thread>

namespace aioscope {
namespace {

namespace fs = std::filesystem;

template <typename Number>
std::optional<Number> read_number(const fs::path& path) {
  const std::string line = first_line(path);
  Number value{};
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::vector<std::string> read_governors(const fs::path& cpus, const Topology& topology) {
  std::vector<std::string> governors;
  for (const Cpu& cpu : topology.cpus) {
    std::string governor =
        first_line(cpus / fmt::format("cpu{}", cpu.id) / "cpufreq/scaling_governor");
    const bool seen = std::ranges::find(governors, governor) != governors.end();
    if (!governor.empty() && !seen) governors.push_back(std::move(governor));
  }
  return governors;
}

std::optional<bool> read_turbo(const fs::path& cpus) {
  if (const auto off = read_number<int>(cpus / "intel_pstate/no_turbo")) return *off == 0;
  if (const auto on = read_number<int>(cpus / "cpufreq/boost")) return *on != 0;
  return std::nullopt;
}

bool has_hypervisor_flag(const fs::path& cpuinfo) {
  std::ifstream file(cpuinfo);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("flags")) return line.find(" hypervisor") != std::string::npos;
  }
  return false;
}

std::string tracefs_mount(const fs::path& mounts) {
  std::ifstream file(mounts);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string device, directory, type;
    if (fields >> device >> directory >> type && type == "tracefs") return directory;
  }
  return "";
}

// user nice system idle iowait irq softirq steal; guest time is part of user
struct CpuTimes {
  std::uint64_t total = 0;
  std::uint64_t steal = 0;
};

std::optional<CpuTimes> read_cpu_times(const fs::path& stat) {
  constexpr int kFields = 8;
  constexpr int kSteal = 7;
  std::istringstream fields(first_line(stat));
  std::string cpu;
  if (!(fields >> cpu) || cpu != "cpu") return std::nullopt;
  CpuTimes times;
  for (int i = 0; i < kFields; ++i) {
    std::uint64_t ticks = 0;
    if (!(fields >> ticks)) return std::nullopt;
    times.total += ticks;
    if (i == kSteal) times.steal = ticks;
  }
  return times;
}

// Over the watched moment; over the time since boot when nothing ticked in it.
std::optional<double> watch_steal(const fs::path& stat, std::chrono::milliseconds watch) {
  const auto before = read_cpu_times(stat);
  std::this_thread::sleep_for(watch);
  const auto after = read_cpu_times(stat);
  if (!before || !after || after->total == 0) return std::nullopt;
  if (after->total == before->total) return double(after->steal) / double(after->total);
  return double(after->steal - before->steal) / double(after->total - before->total);
}

std::vector<std::string> present_pmus() {
  std::vector<std::string> names;
  if (pfm_initialize() != PFM_SUCCESS) return names;
  for (int id = PFM_PMU_NONE; id < PFM_PMU_MAX; ++id) {
    pfm_pmu_info_t info{};
    info.size = sizeof info;
    if (pfm_get_pmu_info(pfm_pmu_t(id), &info) != PFM_SUCCESS || !info.is_present) continue;
    if (info.type == PFM_PMU_TYPE_CORE) names.emplace_back(info.name);
  }
  pfm_terminate();
  return names;
}

int errno_of_cycle_counter() {
  perf_event_attr attributes = event_attributes(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return PerfEvent(attributes, 0).refusal().error;
}

}  // namespace

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Machine read_machine(const fs::path& root, const std::vector<int>& allowed_cpus,
                     std::chrono::milliseconds watch) {
  const fs::path sysctl = root / "proc/sys";
  const fs::path cpus = root / "sys/devices/system/cpu";
  Machine machine;
  machine.kernel = first_line(sysctl / "kernel/osrelease");
  machine.topology = read_topology(root, allowed_cpus);
  machine.virtual_machine = has_hypervisor_flag(root / "proc/cpuinfo");
  machine.governors = read_governors(cpus, machine.topology);
  machine.turbo = read_turbo(cpus);
  machine.perf_event_paranoid = read_number<int>(sysctl / "kernel/perf_event_paranoid");
  machine.kptr_restrict = read_number<int>(sysctl / "kernel/kptr_restrict");
  machine.kernel_names = kernel_has_names(root);
  machine.io_uring_disabled = read_number<int>(sysctl / "kernel/io_uring_disabled");
  machine.aio_nr = read_number<std::uint64_t>(sysctl / "fs/aio-nr");
  machine.aio_max_nr = read_number<std::uint64_t>(sysctl / "fs/aio-max-nr");
  machine.tracefs = tracefs_mount(root / "proc/mounts");
  if (!machine.tracefs.empty()) {
    const fs::path event =
        root / fs::path(machine.tracefs).relative_path() / "events/raw_syscalls/sys_enter/id";
    machine.tracefs_readable = read_number<int>(event).has_value();
  }
  machine.clock_source =
      first_line(root / "sys/devices/system/clocksource/clocksource0/current_clocksource");
  machine.steal_share = watch_steal(root / "proc/stat", watch);
  machine.load = read_number<double>(root / "proc/loadavg");
  return machine;
}

void add_process_facts(Machine& machine) {
  const PerfRights rights = perf_rights();
  machine.user_namespace = rights.user_namespace;
  machine.perf_capable = rights.capable;
  machine.root = geteuid() == 0 && !rights.user_namespace;
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    machine.memlock_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
  }
  machine.instruments = probe_instruments();
  machine.pmus = present_pmus();
  machine.cycles_errno = errno_of_cycle_counter();
}

Machine this_machine(std::chrono::milliseconds watch) {
  Machine machine = read_machine("/", affinity_mask(), watch);
  add_process_facts(machine);
  return machine;
}

}  // namespace aioscope
