// Facts about this machine that bear on measuring, as /proc, /sys and a few system calls tell them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure/perf/instruments.h"
#include "bench/placement.h"

namespace aioscope {

// nullopt and "": the machine does not say.
struct Machine {
  std::string kernel;  // release
  Topology topology;
  bool virtual_machine = false;
  std::vector<std::string> governors;  // different ones, over the usable CPUs
  std::optional<bool> turbo;
  std::optional<int> perf_event_paranoid;
  std::optional<int> kptr_restrict;
  bool kernel_names = false;  // /proc/kallsyms shows addresses to this user
  std::optional<int> io_uring_disabled;
  std::optional<std::uint64_t> aio_nr, aio_max_nr;
  std::string tracefs;  // where it is mounted; "": nowhere
  bool tracefs_readable = false;
  std::string clock_source;
  std::optional<double> steal_share;  // of CPU time, over a moment
  std::optional<double> load;         // average of the last minute

  // Of this process rather than of files:
  bool root = false;                           // not that of a user namespace
  bool user_namespace = false;                 // whose root has no power over the kernel
  bool perf_capable = false;                   // perf_event_paranoid does not bind it
  std::vector<InstrumentProbe> instruments;    // what works of them
  std::optional<std::uint64_t> memlock_bytes;  // UINT64_MAX: no limit
  std::vector<std::string> pmus;               // that libpfm4 recognises
  int cycles_errno = 0;                        // of opening a CPU cycle counter; 0: it works
};

// From the files under `root`; watches /proc/stat for `watch`. Leaves the part of the process
// alone.
Machine read_machine(const std::filesystem::path& root, const std::vector<int>& allowed_cpus,
                     std::chrono::milliseconds watch);
void add_process_facts(Machine& machine);
// Both, of the machine this process runs on.
Machine this_machine(std::chrono::milliseconds watch);

// The first line of a file, as of sysfs; empty when it cannot be read.
std::string first_line(const std::filesystem::path& path);

}  // namespace aioscope
