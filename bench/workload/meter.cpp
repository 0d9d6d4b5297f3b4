#include "bench/workload/meter.h"

#include "bench/measure/driver_counts.h"
#include "bench/workload/injection.h"

namespace aioscope {

bool Meter::change(Phase phase) {
  seen_ = phase;
  bool changed = false;
  // A thread that slept through the window has an empty one of its own.
  if (!begun_ && phase >= Phase::kMeasured) {
    begin_ = counts;
    if (driver_ != nullptr) begin_driver_ = driver_->this_thread();
    begin_injected_ = injected_lock_count();
    begin_usage_ = usage_of_this_thread();
    // Last here and first at the end, so that they count little of the measuring itself.
    if (counters_ != nullptr) counters_->begin();
    begun_ = changed = true;
  }
  if (!ended_ && phase > Phase::kMeasured) {
    if (counters_ != nullptr) counters_->end();
    end_ = counts;
    end_usage_ = usage_of_this_thread();
    if (driver_ != nullptr) end_driver_ = driver_->this_thread();
    end_injected_ = injected_lock_count();
    ended_ = changed = true;
  }
  return changed;
}

ThreadMeasurement Meter::measured() const {
  const Usage usage = end_usage_ - begin_usage_;
  ThreadMeasurement result;
  result.operations = end_.operations - begin_.operations;
  result.submit_calls = end_.submit_calls - begin_.submit_calls;
  result.short_submits = end_.short_submits - begin_.short_submits;
  result.reap_calls = end_.reap_calls - begin_.reap_calls;
  result.driver_system_calls = end_.system_calls - begin_.system_calls;
  result.user_ns = usage.user_ns;
  result.system_ns = usage.system_ns;
  result.voluntary_switches = usage.voluntary_switches;
  result.involuntary_switches = usage.involuntary_switches;
  result.minor_faults = usage.minor_faults;
  result.major_faults = usage.major_faults;
  return result;
}

DriverCounts Meter::measured_driver_counts() const { return end_driver_ - begin_driver_; }

LockSiteCount Meter::measured_injected_locks() const { return end_injected_ - begin_injected_; }

}  // namespace aioscope
