// The counters of one thread, read at the edges of its measured window.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/measure/perf/counter.h"

namespace aioscope {

// What a counter says at one moment.
struct CounterReading {
  std::uint64_t value = 0;
  std::uint64_t enabled_ns = 0;  // the thread ran and wanted it
  std::uint64_t running_ns = 0;  // and the PMU counted it
};
// Of two readings of one counter, the later one first.
CounterReading operator-(const CounterReading& later, const CounterReading& earlier);

// Opened by anybody, read by its thread alone; counting starts at once. What the kernel's software
// counts is one group, which always runs; what a PMU counts is another, or several where it has too
// few counters (pmu_sharing.h), so that the first is never multiplexed for the second's sake. A
// clock has a group of its own: the kernel brings the leader up to date when a group is read, but
// not a clock that is a member, which then stands where the last timer tick or switch left it.
class ThreadCounters {
 public:
  // `thread` 0 is the calling one. Counters that are not usable are left out.
  ThreadCounters(std::span<const Counter> counters, pid_t thread);

  // Why a usable counter could not be opened for this thread; its index comes with it.
  struct Failure {
    std::size_t counter;
    Refusal refusal;
  };
  const std::vector<Failure>& failures() const { return failures_; }

  // Reads all groups; a system call for each, and nothing else.
  void begin() { read_groups(begin_); }
  void end() { read_groups(end_); }

  // Between begin() and end(); nullopt: not open, or it could not be read.
  std::optional<CounterReading> window(std::size_t counter) const;

 private:
  struct Group {
    std::vector<PerfEvent> events;      // the leader first
    std::vector<std::size_t> counters;  // of each event
  };
  using Readings = std::vector<std::optional<CounterReading>>;  // per counter

  bool join(Group& group, const Counter& counter, std::size_t index, Refusal& why);
  void read_groups(Readings& readings);

  const pid_t thread_;
  std::vector<Group> groups_;
  std::vector<Failure> failures_;
  std::vector<std::uint64_t> buffer_;  // of a read
  Readings begin_, end_;
};

// A counter over all threads of a repetition.
struct CounterMeasurement {
  std::string name;
  bool in_ns = false;                  // counts time
  std::optional<std::uint64_t> value;  // nullopt: it could not be had
  std::optional<double> per_op;
  std::uint64_t enabled_ns = 0;  // sums over the threads
  std::uint64_t running_ns = 0;
  bool scaled = false;  // it ran for a part of the time only, and `value` is for all of it
  std::string reason;   // why not, and the cure
};
// Of the windows of one counter; there is no value when one of them never ran. `operations` are
// those of the same windows.
CounterMeasurement sum_windows(std::span<const CounterReading> windows, std::uint64_t operations);
std::vector<CounterMeasurement> sum_counters(std::span<const Counter> counters,
                                             std::span<const ThreadCounters> threads,
                                             std::uint64_t operations);

}  // namespace aioscope
