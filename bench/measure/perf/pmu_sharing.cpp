#include "bench/measure/perf/pmu_sharing.h"

#include <algorithm>
#include <ctime>

#include "bench/measure/clock.h"
#include "bench/measure/perf/thread_counters.h"

namespace aioscope {
namespace {

// Of the thread's own CPU time, for each counter; groups take turns every 1 to 4 ms.
constexpr std::int64_t kTurnNs = 10'000'000;

bool needs_pmu(const Counter& counter) {
  return counter.usable() && counter.kind() == CounterKind::kHardware;
}

bool same_event(const perf_event_attr& one, const perf_event_attr& other) {
  return one.type == other.type && one.config == other.config && one.config1 == other.config1;
}

}  // namespace

bool may_share(const Counter& one, const Counter& other) {
  if (one.kind() != other.kind() || one.kind() == CounterKind::kClock) return false;
  if (one.sharing != other.sharing || one.sharing == Sharing::kNone) return false;
  return one.sharing == Sharing::kAll || same_event(one.attributes, other.attributes);
}

bool share_less(std::span<Counter> counters, const std::vector<bool>& ran) {
  bool changed = false;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    Counter& counter = counters[i];
    if (ran[i] || !needs_pmu(counter)) continue;
    changed = true;
    if (counter.sharing != Sharing::kNone) {
      counter.sharing = counter.sharing == Sharing::kAll ? Sharing::kSameEvent : Sharing::kNone;
      continue;
    }
    counter.refusal = {0, "the PMU never counted it, alone neither: its counters are in use",
                       "stop other profilers; for the NMI watchdog: sudo sysctl "
                       "kernel.nmi_watchdog=0"};
  }
  return changed;
}

std::vector<bool> try_together(std::span<const Counter> counters) {
  std::vector<bool> ran(counters.size(), true);
  ThreadCounters trial(counters, 0);
  // What cannot be opened any more is found, with its reason, where it is opened to be measured.
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const bool failed =
        std::ranges::count(trial.failures(), i, &ThreadCounters::Failure::counter) > 0;
    if (needs_pmu(counters[i]) && !failed) open.push_back(i);
  }
  const std::int64_t end_ns =
      clock_ns(CLOCK_THREAD_CPUTIME_ID) + kTurnNs * std::int64_t(1 + open.size());
  trial.begin();
  bool all = open.empty();
  while (!all && clock_ns(CLOCK_THREAD_CPUTIME_ID) < end_ns) {
    trial.end();
    all = true;
    for (const std::size_t i : open) {
      const auto window = trial.window(i);
      ran[i] = window && window->running_ns > 0;
      all = all && ran[i];
    }
  }
  return ran;
}

void settle_sharing(std::span<Counter> counters, const CounterTrial& trial) {
  while (std::ranges::any_of(counters, needs_pmu) && share_less(counters, trial(counters))) {
  }
}

}  // namespace aioscope
