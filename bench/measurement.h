// What one repetition of a row yields. Plain data between the runner, which fills it, and the
// writers.
//
// A value that could not be had is nullopt or NaN (null in the files) and never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure/driver_counts.h"
#include "bench/measure/histogram.h"
#include "bench/measure/locks/lock_waits.h"
#include "bench/measure/perf/thread_counters.h"
#include "bench/measure/profile/profile.h"
#include "drivers/driver.h"

namespace aioscope {

enum class ThreadRole : std::uint8_t { kSubmitter, kReaper, kSubmitterReaper, kConsumer };
constexpr const char* thread_role_name(ThreadRole role) {
  switch (role) {
    case ThreadRole::kSubmitter:
      return "submitter";
    case ThreadRole::kReaper:
      return "reaper";
    case ThreadRole::kSubmitterReaper:
      return "submitter+reaper";
    case ThreadRole::kConsumer:
      return "consumer";
  }
  return "?";
}

// One measured thread, over its own measured window.
struct ThreadMeasurement {
  ThreadRole role = ThreadRole::kSubmitterReaper;
  int cpu = -1;                  // pinned to; -1: not pinned
  std::uint64_t operations = 0;  // submitters: own operations completed; reapers, consumer: handled
  std::uint64_t submit_calls = 0;
  std::uint64_t short_submits = 0;  // calls that accepted less than asked for: back-pressure
  std::uint64_t reap_calls = 0;
  std::uint64_t user_ns = 0;
  std::uint64_t system_ns = 0;
  std::uint64_t voluntary_switches = 0;
  std::uint64_t involuntary_switches = 0;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  std::optional<std::uint64_t> migrations;
  std::uint64_t driver_system_calls = 0;  // as the driver counts them
};

// What the driver counted of itself, over the windows of all its threads.
struct DriverCountsMeasurement {
  struct LockSite {
    std::string site;  // "ctx_lock/submit"
    std::uint64_t acquisitions = 0;
    std::uint64_t contended = 0;
    std::uint64_t wait_ns = 0;
    WaitTimes times;  // of one wait
  };
  std::uint64_t operations = 0;      // of the same windows: what "per operation" refers to
  std::vector<LockSite> lock_sites;  // those that were taken
  // nullopt: the driver counts its locks only.
  std::optional<std::uint64_t> shared_rmw;
  std::optional<std::uint64_t> allocations;
  std::optional<std::uint64_t> wakeups;
};

// Who pays for an operation. NaN where no call was timed: without latency, or in a short window.
struct LatencySplit {
  double submit_call_ns_per_op = 0;  // time in submit calls over the operations they accepted
  double in_flight_ns_per_op = 0;    // from the return of the submit call until reaped
  double reap_call_ns_per_op = 0;    // time in reap calls, waiting included, over what they reaped
  std::uint64_t calls_timed = 0;
};

struct Measurement {
  std::string setup;  // what Context::setup() said, of the first context
  std::uint32_t threads = 0;
  // More threads, those of a simulated device included, than usable CPUs: waits include preemption.
  bool oversubscribed = false;

  std::int64_t start_realtime_ns = 0;  // wall clock at the start of the measured window
  std::uint64_t window_ns = 0;         // its length
  std::uint64_t operations = 0;        // completed in the window
  // Of these, those that failed with EIO as the target's error-rate asks. Any other failure is the
  // end of the repetition.
  std::uint64_t failed_operations = 0;
  std::uint64_t bytes = 0;
  double operations_per_s = 0;

  std::uint64_t slice_ns = 0;  // nominal length of a slice
  std::vector<double> slices_ops_per_s;
  double drift = 0;    // (mean of the second half of the slices - first half) / mean of all
  bool steady = true;  // |drift| within 10 % or within 3 standard errors of 0

  double fairness_jain = 1;     // over submitters' operations: 1 = equal, 1/N = one thread has all
  double fairness_min_max = 1;  // slowest over fastest submitter

  LatencyHistogram latency;  // submit (or the intended start, open loop) to reaped
  std::string latency_mode;  // "full", "sampled", "off"
  LatencySplit latency_split;

  // Of the whole process in the window, so that a driver's own threads count; the runner's part,
  // which only sleeps and looks, is in it and small.
  double cpu_user_ns_per_op = 0;
  double cpu_system_ns_per_op = 0;
  double context_switches_per_op = 0;
  double voluntary_switches_per_op = 0;
  double faults_per_op = 0;
  std::optional<double> migrations_per_op;
  std::string migrations_reason;           // why they could not be had
  double system_calls_per_op = 0;          // without the harness's own
  double harness_system_calls_per_op = 0;  // sleeping, waking and yielding between its threads
  std::string system_calls_source;         // "tracepoint" or "driver"
  std::string system_calls_reason;         // why not by the tracepoint

  std::vector<CounterMeasurement> counters;  // those asked for, in their order

  std::optional<DriverCountsMeasurement> driver_counts;  // nullopt: the driver does not count
  std::optional<ProfileMeasurement> profile;             // nullopt: not asked for
  std::optional<OffCpuMeasurement> off_cpu;              // likewise, with the profile
  std::optional<LockWaits> kernel_locks;                 // nullopt: not asked for
  std::optional<LockWaits> futex_waits;                  // likewise

  // Over the whole repetition, warm-up and drain included. A repetition in which an operation
  // failed or returned wrong data has no Measurement: it is an error.
  std::uint64_t submitted = 0;
  std::uint64_t completed = 0;
  std::uint64_t verified_blocks = 0;
  std::uint64_t late_starts = 0;  // open loop: operations begun more than 1 ms after their time

  std::vector<ThreadMeasurement> thread;
  std::vector<std::string> warnings;
};

}  // namespace aioscope
