// Runs one repetition of one row.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/measure/perf/counter.h"
#include "bench/measurement.h"
#include "bench/row.h"
#include "bench/watchdog.h"
#include "bench/workload/injection.h"
#include "drivers/driver.h"

namespace aioscope {

class Attribution;

// The same for every row of a run.
struct RunSettings {
  std::int64_t warmup_ns = 200'000'000;
  std::int64_t window_ns = 1'000'000'000;     // measured
  std::int64_t watchdog_ns = 10'000'000'000;  // no completion or return for so long: a hang
  std::vector<int> cpus;                      // CPU of each thread, in turn; empty: not pinned
  std::uint32_t usable_cpus = 1;
  // Of each submitter, in place of warm-up and window; 0: by time. Closed loop only.
  std::uint64_t operations = 0;
  Injection injection;     // into the driver
  std::uint64_t seed = 1;  // offsets, operation mix, arrival times
  // Count system calls by the kernel's tracepoint, in a stretch of about 20 ms behind the window.
  bool trace_system_calls = true;
  std::vector<Counter> counters;  // of each thread; those that are not usable are only reported
  // A counter that a thread cannot have is null in the result; else it fails the repetition.
  bool counters_best_effort = false;
  // Sample the stacks of all threads but the runner's, this often; 0: not.
  std::uint32_t profile_hz = 0;
  // See what the threads wait for locks, in the kernel and on futexes.
  bool trace_locks = false;
  Attribution* attribution = nullptr;  // needed for either of the two; outlives the repetition
};

// Called by the runner about ten times a second with the operations completed so far in the window.
using RowProgress = std::function<void(std::int64_t elapsed_ns, std::uint64_t operations)>;

// The row could not be measured; what() is one line that names the cure. Thrown for targets that
// cannot be opened, threads that cannot be started, and failing I/O.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The row's result would be wrong: a completion lost or doubled, wrong data, nothing done at all.
// what() says which.
class InvalidResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Blocks for warm-up, window and drain. Ends early, with a Measurement of what was seen, when
// `stop` becomes true. Throws SetupError, RunError, InvalidResult, or whatever a driver throws.
// A driver that hangs, be it with requests in flight or in opening or closing a context, cannot be
// stopped from outside: after watchdog_ns on_hang is called, which must not return.
Measurement run_repetition(const Driver& driver, const Row& row, const RunSettings& settings,
                           const std::atomic<bool>& stop, const RowProgress& progress,
                           const OnHang& on_hang);

// Throws RunError when the row's target cannot be used as asked: missing, a directory, too small,
// no permission, or writing to it would destroy what aioscope did not make.
void check_target(const Row& row, bool allow_destructive);

// Makes a file of `size` bytes filled with data and marks it as aioscope's own, which may be
// written without --allow-destructive. A file of that size is left as it is, as is a larger one of
// somebody else; a smaller one of somebody else is replaced only with `allow_destructive`. Throws
// RunError, also when `stop` is given and becomes true, and then leaves nothing behind.
void make_target_file(const std::string& path, std::uint64_t size, bool allow_destructive,
                      const std::atomic<bool>* stop = nullptr);

}  // namespace aioscope
