// Which instruments work here, as this user, tried on the calling thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure/perf/perf_event.h"
#include "bench/measure/perf/tracefs.h"

namespace aioscope {

struct InstrumentProbe {
  std::string_view id;  // "counters", "profile", "kernel_locks", "off_cpu"
  bool works = false;   // at least in part
  std::string lacks;    // what of it does not work; "" when all of it does, or nothing
  Refusal refusal;      // why not, or not that part
  bool whole() const { return works && lacks.empty(); }
};

// Counters without a PMU, a profile with its kernel part and names, tracepoints with their records.
std::vector<InstrumentProbe> probe_instruments(const Tracefs& tracefs = Tracefs());

// Whether /proc/kallsyms shows this user where the kernel's functions are; and what makes it so.
bool kernel_has_names(const std::filesystem::path& root = "/");
inline constexpr std::string_view kShowKernelNames =
    "sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=-1";

}  // namespace aioscope
