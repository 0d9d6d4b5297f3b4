// What looks at the threads of a repetition while it is measured: profile, time off the CPU, waits
// for locks.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/measure/locks/lock_observer.h"
#include "bench/measure/profile/off_cpu.h"
#include "bench/measure/profile/sampler.h"
#include "bench/measure/usage.h"
#include "bench/measurement.h"
#include "bench/runner.h"
#include "bench/workload/layout.h"

namespace aioscope {

// Those of the instruments that `settings` ask for. Used by the runner's thread, which is not
// looked at itself.
class Observation {
 public:
  // `tids` of the threads of `layout`, which run already.
  Observation(const RunSettings& settings, const Layout& layout, std::span<const pid_t> tids);

  void start();
  void drain();             // about ten times a second
  Usage own_usage() const;  // of threads that look, since start()
  void stop();
  // Puts what was seen and what is missing into `result`, whose operations are known. Names take
  // time: when nothing is measured any more. Once.
  void take(Measurement& result);

 private:
  void take_profile(Measurement& result);
  void take_lock_waits(Measurement& result);

  const RunSettings& settings_;
  std::vector<SampledThread> traced_;  // by locks_
  std::string not_traced_;             // began within the window: their names
  std::optional<LockObserver> locks_;
  std::optional<OffCpuRecorder> off_cpu_;
  std::optional<StackSampler> sampler_;
};

}  // namespace aioscope
