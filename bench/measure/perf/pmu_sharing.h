// Which counters of a PMU are counted at one moment.
//
// Those of a group are, and so their ratios are exact. But a group gets the PMU as a whole or not
// at all, and the kernel accepts one by what the PMU has, not by what others leave of it: where the
// NMI watchdog or another profiler holds a counter, a large group is open and never counts. Then
// the user's and the kernel's part of each event become a group, then each counter by itself.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "bench/measure/perf/counter.h"

namespace aioscope {

// Whether they may be one group.
bool may_share(const Counter& one, const Counter& other);

// A step down for the counters of a PMU that did not run in a trial; those that shared with nobody
// are refused. False: nothing has changed.
bool share_less(std::span<Counter> counters, const std::vector<bool>& ran);

// Counts for a moment, and says of each counter whether it ran.
using CounterTrial = std::function<std::vector<bool>(std::span<const Counter>)>;
// On the calling thread and the CPU that it is on; longer only where something does not run.
std::vector<bool> try_together(std::span<const Counter> counters);

// Until all that are not refused run.
void settle_sharing(std::span<Counter> counters, const CounterTrial& trial = try_together);

}  // namespace aioscope
