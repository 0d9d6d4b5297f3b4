// The run: every item of a plan, in its order.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "bench/measure/profile/layer_rules.h"
#include "bench/measurement.h"
#include "bench/placement.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/runner.h"

namespace aioscope {

enum class Failure {
  kRuntime,  // the row could not be measured
  kInvalid,  // its result would be wrong
};

// Where results go; called as they come, so that a crash loses one at most.
class SessionSink {
 public:
  virtual ~SessionSink() = default;
  virtual void skipped(const PlannedRow& row) = 0;
  // `position`: the how-manieth item of the run.
  virtual void measured(const PlannedRow& row, const PlanItem& item, std::size_t position,
                        const RunSettings& settings, const Measurement& measurement) = 0;
  virtual void failed(const PlannedRow& row, const PlanItem& item, std::size_t position,
                      Failure failure, const std::string& message) = 0;
  // The process ends after this call, since a driver hangs. Keeps what has come so far.
  virtual void abandon(const PlannedRow& row, const PlanItem& item, std::size_t position,
                       const std::string& message) = 0;
};

using RepetitionRunner = std::function<decltype(run_repetition)>;

// Throws UsageError when --pin names a CPU that cannot be used.
void check_pinning(const Topology& topology, const Pinning& pinning);

// Throws RunError for a counter that cannot be had here, with the reason and its cure, unless best
// effort will do.
void require_counters(const Plan& plan, const RunOptions& run);
// The rules of --layers FILE, if there is one, and the built-in ones. Throws UsageError.
LayerRules layer_rules(const RunOptions& run);

// Makes the target files that --create asks for and checks that every row's target can be used.
// Throws RunError, also when `stop` becomes true meanwhile.
void prepare_targets(const Plan& plan, const RunOptions& run, const std::atomic<bool>& stop);

// Runs the plan; failures of a row are told to the sink and leave the other rows going, without its
// further repetitions. Returns the exit code: interrupted, invalid, runtime or ok, the worst first.
int run_session(const Plan& plan, const RunOptions& run, const Topology& topology,
                const std::atomic<bool>& stop, SessionSink& sink, Progress& progress,
                const RepetitionRunner& runner = run_repetition);

}  // namespace aioscope
