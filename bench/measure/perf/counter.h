// Counters by name: what perf_event_open is asked for, and whether it can be had here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure/perf/perf_event.h"
#include "bench/measure/perf/tracefs.h"

namespace aioscope {

enum class CounterKind : std::uint8_t {
  kClock,     // time, by the kernel's software
  kSoftware,  // counted by the kernel's software, always
  kHardware,  // by a PMU, which it may have to share
};

// With which others of a PMU a counter is counted at one moment, if the PMU has room: see
// pmu_sharing.h.
enum class Sharing : std::uint8_t { kAll, kSameEvent, kNone };

struct Counter {
  std::string name;  // as it was asked for: "cycles:u"
  perf_event_attr attributes{};
  bool known = false;     // the name means something; else the refusal says what is near
  bool optional = false;  // of the default set: left out where it cannot be had
  Sharing sharing = Sharing::kAll;
  Refusal refusal;  // reason not empty: it cannot be had

  bool usable() const { return refusal.reason.empty(); }
  CounterKind kind() const;
};

// A name is one of generic_counters() with or without :u or :k, a tracepoint (SYSTEM:EVENT), or
// what libpfm4 understands: "L1-DCACHE-LOADS:u", "INST_RETIRED:ANY_P", "skl::INST_RETIRED".
// Encodes only; opens nothing. Not thread-safe, since libpfm4 is not.
Counter encode_counter(const std::string& name, const Tracefs& tracefs);

// Encodes the names, of which "default" stands for several, and tries each on the calling thread,
// then all together: one that a PMU never counts is refused.
// A name that is given twice counts once.
std::vector<Counter> find_counters(std::span<const std::string> names,
                                   const Tracefs& tracefs = Tracefs());

// "software 1", "tracepoint 408", "raw 0xc0 user": what perf_event_open gets.
std::string encoding_text(const Counter& counter);

struct GenericCounter {
  std::string_view name;
  std::string_view summary;
};
// The kernel's own, in the order of the list.
std::vector<GenericCounter> generic_counters();

// A PMU for which libpfm4 can encode events here: the machine's own ones, or that of
// LIBPFM_FORCE_PMU.
struct PmuEvents {
  std::string name;
  std::string summary;
  std::vector<std::string> events;  // "skl::INST_RETIRED"
};
std::vector<PmuEvents> pmu_events();

}  // namespace aioscope
