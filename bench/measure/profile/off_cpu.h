// How long threads are off their CPUs, and what they wait for.
//
// The kernel records every switch of a thread with its time (PERF_RECORD_SWITCH), and says whether
// the thread could have gone on. What it waits for is told by its stack at the tracepoint
// sched:sched_switch, which is taken of about as many switches per second as stacks of running
// threads are: the others are taken to be divided like these.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "bench/measure/profile/attribution.h"
#include "bench/measure/profile/sampler.h"

namespace aioscope {

// Turns the records of one thread into times. Times in ns, of CLOCK_MONOTONIC.
class SwitchAccount {
 public:
  void begin(std::uint64_t now_ns) { last_ns_ = now_ns; }
  // In the order of their times; a stack comes before the switch that it belongs to.
  void stack(std::span<const std::uint64_t> stack);
  void switch_out(std::uint64_t now_ns, bool could_go_on);
  void switch_in(std::uint64_t now_ns);
  void gap();  // records were lost: what the thread does now is not known
  // `cpu_ns`: what the thread has had since begin(), which tells what it did if it never switched;
  // nullopt: not known.
  void end(std::uint64_t now_ns, std::optional<std::uint64_t> cpu_ns);

  // False: no record and no CPU time says whether the thread ran or waited.
  bool known() const { return known_; }
  std::uint64_t switches() const { return switches_; }
  std::uint64_t preempted_ns() const { return preempted_ns_; }
  std::uint64_t wait_ns() const { return wait_ns_; }
  // Of the waits with a stack, their times by stack.
  const RawStacks& waits() const { return waits_; }

 private:
  enum class State { kUnknown, kRunning, kPreempted, kWaiting };
  void account(std::uint64_t now_ns);

  State state_ = State::kUnknown;
  bool known_ = false;
  bool lost_ = false;
  std::uint64_t last_ns_ = 0;
  std::uint64_t switches_ = 0;
  std::uint64_t preempted_ns_ = 0;
  std::uint64_t wait_ns_ = 0;
  RawStack stack_;  // of the switch that comes, or of the present wait; empty: not taken
  RawStacks waits_;
};

class OffCpuRecorder {
 public:
  OffCpuRecorder(std::vector<SampledThread> threads, std::uint32_t stacks_hz);

  void start();
  void drain();  // about ten times a second, from a thread that is not recorded
  void stop();
  // After stop().
  OffCpuMeasurement measurement(Attribution& attribution) const;

 private:
  struct Source {
    SampledThread thread;
    PerfEvent event;
    std::unique_ptr<PerfRing> ring;
    SwitchAccount account;
    std::uint64_t stacks = 0;
    std::optional<std::uint64_t> cpu_begin_ns;
  };
  void choose_event(std::uint32_t stacks_hz);
  void open(std::vector<SampledThread> threads);
  void take(Source& source, const PerfRecord& record);

  perf_event_attr attributes_{};
  std::string source_;
  std::string reason_;
  std::vector<Source> sources_;
  std::int64_t begin_ns_ = 0;
  std::int64_t end_ns_ = 0;
};

}  // namespace aioscope
