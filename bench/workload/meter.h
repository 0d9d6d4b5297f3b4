// One thread's own account of a repetition.
#pragma once

#include <atomic>
#include <cstdint>

#include "bench/measure/perf/thread_counters.h"
#include "bench/measure/usage.h"
#include "bench/measurement.h"
#include "bench/workload/control.h"
#include "drivers/driver.h"

namespace aioscope {

// Counts are plain and belong to the thread; what the runner looks at during the run is published
// once per batch on a line that only this thread writes. The window is taken where the thread first
// sees the phase change, so that its counts and its CPU time cover the same interval.
class alignas(64) Meter {
 public:
  // Sums over the timed calls; see CallSampler.
  struct TimedCalls {
    std::uint64_t calls = 0;
    std::uint64_t ns = 0;
    std::uint64_t operations = 0;  // accepted, or reaped

    void add(std::int64_t elapsed_ns, std::uint64_t count) {
      ++calls;
      ns += std::uint64_t(elapsed_ns);
      operations += count;
    }
    void add(const TimedCalls& more) {
      calls += more.calls;
      ns += more.ns;
      operations += more.operations;
    }
    TimedCalls operator-(const TimedCalls& earlier) const {
      return {calls - earlier.calls, ns - earlier.ns, operations - earlier.operations};
    }
  };
  struct Counts {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
    std::uint64_t failed_operations = 0;
    std::uint64_t submit_calls = 0;
    std::uint64_t short_submits = 0;
    std::uint64_t reap_calls = 0;
    std::uint64_t system_calls = 0;
    TimedCalls timed_submits;
    TimedCalls timed_reaps;
  };
  Counts counts;

  // `driver` is nullptr for a driver that does not count.
  explicit Meter(const CounterSource* driver = nullptr) : driver_(driver) {}

  // `counters` are the thread's own and outlive it; set before the thread sees the window.
  void set_counters(ThreadCounters* counters) { counters_ = counters; }

  // True when the thread has just entered or left the measured window.
  bool observe(Phase phase) {
    if (phase == seen_) return false;
    return change(phase);
  }
  bool in_window() const { return begun_ && !ended_; }

  // For the runner. Submitters publish what they have started, collectors what has come back.
  void publish_started(std::uint64_t count) { started_.store(count, std::memory_order_relaxed); }
  void publish_finished(std::uint64_t count) { finished_.store(count, std::memory_order_relaxed); }
  // System calls of the harness itself: sleeping, waking, yielding.
  void add_harness_calls(std::uint64_t count) {
    harness_calls_.store(harness_calls_.load(std::memory_order_relaxed) + count,
                         std::memory_order_relaxed);
  }
  std::uint64_t started() const { return started_.load(std::memory_order_relaxed); }
  std::uint64_t finished() const { return finished_.load(std::memory_order_relaxed); }
  std::uint64_t harness_calls() const { return harness_calls_.load(std::memory_order_relaxed); }

  // After the thread has ended: what it did within the window.
  ThreadMeasurement measured() const;
  std::uint64_t measured_bytes() const { return end_.bytes - begin_.bytes; }
  TimedCalls measured_submits() const { return end_.timed_submits - begin_.timed_submits; }
  TimedCalls measured_reaps() const { return end_.timed_reaps - begin_.timed_reaps; }
  std::uint64_t measured_failures() const {
    return end_.failed_operations - begin_.failed_operations;
  }
  // What the driver counted of this thread in the window; empty for one that does not count.
  DriverCounts measured_driver_counts() const;
  // Of the injected lock, likewise.
  LockSiteCount measured_injected_locks() const;

 private:
  bool change(Phase phase);

  Phase seen_ = Phase::kStarting;
  bool begun_ = false;
  bool ended_ = false;
  Counts begin_, end_;
  Usage begin_usage_, end_usage_;
  const CounterSource* const driver_;
  DriverCounts begin_driver_, end_driver_;
  LockSiteCount begin_injected_, end_injected_;
  ThreadCounters* counters_ = nullptr;  // nullptr: none were asked for
  alignas(64) std::atomic<std::uint64_t> started_{0};
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<std::uint64_t> harness_calls_{0};
};

}  // namespace aioscope
