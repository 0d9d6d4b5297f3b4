#include "bench/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "bench/crew.h"
#include "bench/measure/clock.h"
#include "bench/measure/driver_counts.h"
#include "bench/measure/statistics.h"
#include "bench/measure/system_calls.h"
#include "bench/measure/usage.h"
#include "bench/observation.h"
#include "bench/watchdog.h"
#include "bench/workload/rig.h"
#include "drivers/device_spec.h"

namespace aioscope {
namespace {

constexpr std::int64_t kSliceNs = 100'000'000;
constexpr std::int64_t kAbandonNs = 2'000'000'000;  // for threads to leave a failed repetition
constexpr std::int64_t kCountingNs = 20'000'000;
constexpr std::int64_t kLookNs = 1'000'000;  // whether a number of operations has been reached

// Nothing per operation can be said of none: NaN is null in the files and "-" in the table.
DriverCountsMeasurement::LockSite lock_site(std::string_view site, const LockSiteCount& count) {
  return {std::string(site), count.acquisitions, count.contended, count.wait_ns,
          wait_times(count.waits)};
}

double per_operation(std::uint64_t sum, std::uint64_t operations) {
  if (operations == 0) return std::numeric_limits<double>::quiet_NaN();
  return double(sum) / double(operations);
}

// A repetition from the runner's side.
class Repetition {
 public:
  Repetition(const Driver& driver, const Row& row, const RunSettings& settings,
             const std::atomic<bool>& stop, const RowProgress& progress, const OnHang& on_hang)
      : row_(row),
        settings_(settings),
        stop_(stop),
        progress_(progress),
        on_hang_(on_hang),
        rig_(std::make_unique<Rig>(driver, row, settings)),
        crew_(std::make_unique<Crew>(*rig_, settings)),
        watchdog_(rig_->meters, settings.watchdog_ns) {}

  Measurement run() {
    crew_->start();
    if (!crew_->ready_in_time()) hang("does not return from opening a context");
    try {
      if (!rig_->control.failure()) load();
    } catch (...) {
      rig_->control.fail(std::current_exception(), Phase::kAbandoned);
    }
    drain();
    crew_->join();
    if (rig_->control.phase() == Phase::kAbandoned) {
      const auto failure = rig_->control.failure();
      leak();
      std::rethrow_exception(failure);
    }
    close_contexts();
    if (const auto failure = rig_->control.failure()) std::rethrow_exception(failure);
    fail_on_errors();
    observation_->take(result_);
    return collect();
  }

 private:
  void load() {
    if (!rig_->layout.private_contexts) {
      watched(settings_.watchdog_ns, "does not return from opening a context", on_hang_,
              [&] { rig_->open_shared_contexts(); });
    }
    open_counters();
    if (settings_.operations == 0) {
      crew_->release(Phase::kWarmUp);
      pass(monotonic_ns() + settings_.warmup_ns, [](std::int64_t) {});
    }
    measure();
    count_system_calls();
  }

  // Those that are private have been closed by their threads.
  void close_contexts() {
    watched(settings_.watchdog_ns, "does not return from closing a context", on_hang_,
            [&] { rig_->contexts.clear(); });
  }

  // The threads are there and wait for the load.
  void open_counters() {
    if (settings_.counters.empty() || rig_->control.failure()) return;
    const std::span<const pid_t> tids = crew_->tids();
    thread_counters_.reserve(tids.size());
    for (std::size_t i = 0; i < tids.size(); ++i) {
      const ThreadCounters& counters = thread_counters_.emplace_back(settings_.counters, tids[i]);
      rig_->meters[i]->set_counters(&thread_counters_.back());
      if (counters.failures().empty() || settings_.counters_best_effort) continue;
      const auto& [counter, refusal] = counters.failures().front();
      const Counter& failed = settings_.counters[counter];
      if (failed.optional) continue;
      rig_->control.fail(std::make_exception_ptr(RunError(fmt::format(
                             "counter {} of thread {}: {}", failed.name, i + 1, refusal.text()))),
                         Phase::kAbandoned);
      return;
    }
  }

  // Lets the load run until `end_ns`, calling `tick` with the time about every 100 ms and at the
  // end. Ends early on a failure or when the run is stopped.
  template <typename Tick>
  void pass(std::int64_t end_ns, Tick&& tick) {
    const std::int64_t length_ns = end_ns - monotonic_ns();
    const std::int64_t step_ns =
        std::max<std::int64_t>(1'000'000, length_ns >= 5 * kSliceNs ? kSliceNs : length_ns / 5);
    for (std::int64_t next_ns = monotonic_ns() + step_ns;; next_ns += step_ns) {
      if (stop_ || rig_->control.phase() >= Phase::kDraining) return;
      // The last step is not cut short, but stretched.
      const bool last = next_ns + step_ns / 2 >= end_ns;
      sleep_until_ns(last ? end_ns : next_ns);
      const std::int64_t now_ns = monotonic_ns();
      if (!watchdog_.look(now_ns, Watchdog::Wait::kRequests)) return abandon();
      tick(now_ns);
      if (last) return;
    }
  }

  // Lets the load run until every submitter has had its operations, calling `tick` likewise.
  template <typename Tick>
  void pass_operations(Tick&& tick) {
    const std::uint64_t all = settings_.operations * rig_->layout.submitters;
    std::int64_t next_ns = monotonic_ns() + kSliceNs;
    while (!stop_ && rig_->control.phase() < Phase::kDraining) {
      // By those who collect them and by those who have their slots back.
      const bool last =
          watchdog_.finished() >= all &&
          rig_->lanes_complete.load(std::memory_order_relaxed) == rig_->layout.submitters;
      const std::int64_t now_ns = monotonic_ns();
      if (!watchdog_.look(now_ns, Watchdog::Wait::kEnd)) return abandon();
      if (last || now_ns >= next_ns) {
        tick(now_ns);
        next_ns += kSliceNs;
      }
      if (last) return;
      sleep_until_ns(now_ns + kLookNs);
    }
  }

  void measure() {
    std::vector<std::optional<std::uint64_t>> migrations;
    for (const pid_t tid : crew_->tids()) migrations.push_back(migrations_of(tid));
    observation_.emplace(settings_, rig_->layout, crew_->tids());
    // Before the load of a number of operations, so that none of them is missed.
    observation_->start();
    result_.start_realtime_ns = clock_ns(CLOCK_REALTIME);
    const std::uint64_t begin_own = harness_calls();
    const DriverCounts begin_service = service_counts();
    const Usage begin_usage = usage_of_process();
    const std::uint64_t begin_operations = watchdog_.finished();
    const std::int64_t begin_ns = monotonic_ns();
    crew_->release(Phase::kMeasured);
    const std::int64_t slice_ns =
        settings_.window_ns >= 5 * kSliceNs ? kSliceNs : settings_.window_ns / 5;
    SliceRecorder slices(std::uint64_t(std::max<std::int64_t>(slice_ns, 1'000'000)));
    std::int64_t last_ns = begin_ns;
    std::uint64_t last_operations = begin_operations;
    const auto tick = [&](std::int64_t now_ns) {
      const std::uint64_t operations = watchdog_.finished();
      slices.add(operations - last_operations, std::uint64_t(now_ns - last_ns));
      last_ns = now_ns;
      last_operations = operations;
      progress_(now_ns - begin_ns, operations - begin_operations);
      observation_->drain();
    };
    if (settings_.operations > 0) {
      pass_operations(tick);
    } else {
      pass(begin_ns + settings_.window_ns, tick);
    }
    // What it takes to look is not the row's.
    const Usage usage = (usage_of_process() - begin_usage).without(observation_->own_usage());
    service_counts_ = service_counts() - begin_service;
    observation_->stop();
    const std::uint64_t own_calls = harness_calls() - begin_own;
    rig_->control.enter(Phase::kCounting);
    for (std::size_t i = 0; i < migrations.size(); ++i) {
      const auto now = migrations_of(crew_->tids()[i]);
      ThreadMeasurement& thread = result_.thread.emplace_back();
      if (now && migrations[i]) thread.migrations = *now - *migrations[i];
    }
    result_.window_ns = std::uint64_t(last_ns - begin_ns);
    result_.operations = last_operations - begin_operations;
    result_.slice_ns = slices.slice_ns();
    result_.slices_ops_per_s = slices.operations_per_s();
    result_.harness_system_calls_per_op = per_operation(own_calls, result_.operations);
    set_per_operation(usage);
  }

  // Of the driver's own threads.
  DriverCounts service_counts() const {
    const CounterSource* source = rig_->driver.counters;
    if (source == nullptr || source->service_threads == nullptr) return {};
    return source->service_threads();
  }

  void set_per_operation(const Usage& usage) {
    const std::uint64_t operations = result_.operations;
    const std::uint64_t switches = usage.voluntary_switches + usage.involuntary_switches;
    result_.operations_per_s = double(operations) * 1e9 / double(result_.window_ns);
    result_.cpu_user_ns_per_op = per_operation(usage.user_ns, operations);
    result_.cpu_system_ns_per_op = per_operation(usage.system_ns, operations);
    result_.voluntary_switches_per_op = per_operation(usage.voluntary_switches, operations);
    result_.context_switches_per_op = per_operation(switches, operations);
    result_.faults_per_op = per_operation(usage.minor_faults + usage.major_faults, operations);
  }

  // In a short stretch of the same load behind the timed window: while the tracepoint is on, every
  // system call of the machine is slower.
  void count_system_calls() {
    result_.system_calls_source = "driver";
    if (stop_ || rig_->control.phase() >= Phase::kDraining) {
      result_.system_calls_reason = "the repetition was stopped";
      return;
    }
    if (!settings_.trace_system_calls || settings_.operations > 0) {
      result_.system_calls_reason =
          settings_.operations > 0 ? "no operations are left for it" : "not asked for";
      return;
    }
    const SystemCallCounter counter(crew_->tids());
    result_.system_calls_reason = counter.reason();
    const auto begin = counter.read();
    if (!begin) return;
    const std::uint64_t begin_operations = watchdog_.finished();
    const std::uint64_t begin_own = harness_calls();
    pass(monotonic_ns() + kCountingNs, [](std::int64_t) {});
    const auto end = counter.read();
    const std::uint64_t own = harness_calls() - begin_own;
    const std::uint64_t operations = watchdog_.finished() - begin_operations;
    if (!end || operations == 0) {
      result_.system_calls_reason = "no operation completed while they were counted";
      return;
    }
    result_.system_calls_source = "tracepoint";
    result_.system_calls_per_op =
        std::max(0.0, double(*end - *begin) - double(own)) / double(operations);
    result_.harness_system_calls_per_op = double(own) / double(operations);
  }

  std::uint64_t harness_calls() const {
    std::uint64_t total = 0;
    for (const auto& meter : rig_->meters) total += meter->harness_calls();
    return total;
  }

  void drain() {
    crew_->release(Phase::kDraining);
    while (!crew_->wait_until_finished(kSliceNs / 10)) {
      if (rig_->control.phase() == Phase::kAbandoned) break;
      if (!watchdog_.look(monotonic_ns(), Watchdog::Wait::kEnd)) abandon();
    }
    // Threads that a driver does not let go cannot be joined.
    if (!crew_->wait_until_finished(kAbandonNs)) {
      hang(watchdog_.started() > watchdog_.finished()
               ? "gave no completion and does not return"
               : "does not return, though nothing is in flight (closing a context?)");
    }
  }

  [[noreturn]] void hang(std::string_view what) {
    on_hang_(what);
    std::abort();  // it must not return
  }

  void abandon() {
    rig_->control.fail(std::make_exception_ptr(InvalidResult(stall())), Phase::kAbandoned);
  }

  std::string stall() const {
    const std::uint64_t started = watchdog_.started();
    const std::uint64_t finished = watchdog_.finished();
    const double limit_s = double(settings_.watchdog_ns) / 1e9;
    if (started > finished) {
      return fmt::format(
          "{} of {} requests have not come back, and none did for {:.1f} s; the driver lost them, "
          "or the device is slower than --watchdog",
          started - finished, started, limit_s);
    }
    return fmt::format(
        "nothing is in flight, and nothing more came for {:.1f} s after {} requests; the driver "
        "accepts none, or closes a context for longer than --watchdog",
        limit_s, started);
  }

  // Requests may still be in flight: their buffers and contexts must outlive them, so they are
  // never given back.
  void leak() {
    static std::vector<Rig*>* leaked = new std::vector<Rig*>;
    crew_.reset();
    leaked->push_back(rig_.release());
  }

  void fail_on_errors() const {
    std::string text;
    std::uint64_t failed = 0;
    for (const auto& [error, count] : rig_->errors_by_errno()) {
      text += fmt::format("{}{} times {} (errno {})", text.empty() ? "" : ", ", count,
                          std::strerror(error), error);
      failed += count;
    }
    if (failed == 0) return;
    throw RunError(fmt::format("{} of {} operations failed: {}; look at the device and at dmesg",
                               failed, watchdog_.started(), text));
  }

  // A window that was cut short is thrown away, and may hold nothing.
  void check_work() {
    if (stop_) return;
    const double window_s = double(result_.window_ns) / 1e9;
    if (row_.rate_per_s == 0) {
      if (result_.operations > 0) return;
      throw InvalidResult(fmt::format(
          "no operation completed within {:.3f} s, of {} submitted; the driver accepts or "
          "completes nothing, or is too slow for the window: a longer --duration shows which",
          window_s, result_.submitted));
    }
    const double expected = row_.rate_per_s * window_s;
    const auto done = double(result_.operations);
    // Arrivals at random may be fewer by chance: 3 standard deviations.
    const double least = std::min(0.95 * expected, expected - 3 * std::sqrt(expected));
    if (result_.operations == 0) {
      result_.warnings.push_back(fmt::format(
          "no operation completed in the window, and {:.3g} were due: raise --rate or --duration",
          expected));
    } else if (done < least) {
      result_.warnings.push_back(fmt::format(
          "{:.0f} of the {:.0f} operations/s asked for were reached: latencies are those of an "
          "overload; lower --rate, or raise --submitters or --depth",
          result_.operations_per_s, row_.rate_per_s));
    }
  }

  Measurement collect() {
    result_.setup = rig_->setup();
    result_.threads = static_cast<std::uint32_t>(rig_->layout.threads.size());
    result_.oversubscribed =
        result_.threads + rig_->service_threads + device_threads() > settings_.usable_cpus;
    const SteadyState state = steady_state(result_.slices_ops_per_s);
    result_.drift = state.drift;
    result_.steady = state.steady;
    collect_threads();
    std::vector<std::uint64_t> shares;
    for (const auto& lane : rig_->lanes) {
      shares.push_back(result_.thread[lane->index()].operations);
      result_.latency.merge(lane->latency());
      result_.submitted += lane->submitted();
      result_.completed += lane->completed();
      result_.verified_blocks += lane->verified();
      result_.late_starts += lane->late_starts();
    }
    result_.fairness_jain = jain_index(shares);
    result_.fairness_min_max = min_over_max(shares);
    result_.latency_mode = latency_mode_name(rig_->latency);
    if (result_.submitted != result_.completed) {
      throw InvalidResult(fmt::format("{} requests were submitted and {} came back",
                                      result_.submitted, result_.completed));
    }
    check_work();
    if (row_.verify && row_.target.kind == FileKind::kFile) {
      for (const auto& lane : rig_->lanes) {
        result_.verified_blocks += lane->verify_written(rig_->file_of(lane->index()));
      }
    }
    if (settings_.injection.any()) {
      result_.warnings.emplace_back("made slower on purpose, by --inject: no result of the driver");
    }
    if (rig_->errors_expected) {
      result_.warnings.emplace_back(
          "operations fail as error-rate asks: they count in throughput and latency");
    }
    return std::move(result_);
  }

  // That complete for a simulated device: of a driver that has one, and does not do without.
  std::uint32_t device_threads() const {
    if (row_.target.kind != FileKind::kDevice) return 0;
    if (rig_->driver.capabilities.completes_inline) return 0;
    return std::min(parse_device_spec(row_.target.spec).cpus, settings_.usable_cpus);
  }

  void collect_threads() {
    std::uint64_t driver_calls = 0, window_operations = 0, migrations = 0;
    bool have_migrations = true;
    for (std::size_t i = 0; i < result_.thread.size(); ++i) {
      ThreadMeasurement thread = rig_->meters[i]->measured();
      thread.role = rig_->layout.threads[i].role;
      thread.migrations = result_.thread[i].migrations;
      if (!settings_.cpus.empty()) thread.cpu = settings_.cpus[i % settings_.cpus.size()];
      driver_calls += thread.driver_system_calls;
      result_.bytes += rig_->meters[i]->measured_bytes();
      result_.failed_operations += rig_->meters[i]->measured_failures();
      if (thread.role == ThreadRole::kSubmitter || thread.role == ThreadRole::kSubmitterReaper) {
        window_operations += thread.operations;
      }
      have_migrations = have_migrations && thread.migrations.has_value();
      migrations += thread.migrations.value_or(0);
      result_.thread[i] = thread;
    }
    result_.counters = sum_counters(settings_.counters, thread_counters_, window_operations);
    collect_latency_split();
    collect_driver_counts(window_operations);
    if (result_.system_calls_source == "driver") {
      result_.system_calls_per_op = per_operation(driver_calls, window_operations);
    }
    if (have_migrations) {
      result_.migrations_per_op = per_operation(migrations, result_.operations);
    } else {
      result_.migrations_reason = "the kernel has no /proc/PID/sched (CONFIG_SCHED_DEBUG)";
    }
  }

  // Sums of all threads: on a shared context those that submit and those that reap are others.
  void collect_latency_split() {
    Meter::TimedCalls submits, reaps;
    for (const auto& meter : rig_->meters) {
      submits.add(meter->measured_submits());
      reaps.add(meter->measured_reaps());
    }
    std::uint64_t in_flight_ns = 0, in_flight = 0;
    for (const auto& lane : rig_->lanes) {
      in_flight_ns += lane->in_flight_ns();
      in_flight += lane->in_flight_timed();
    }
    result_.latency_split = {.submit_call_ns_per_op = per_operation(submits.ns, submits.operations),
                             .in_flight_ns_per_op = per_operation(in_flight_ns, in_flight),
                             .reap_call_ns_per_op = per_operation(reaps.ns, reaps.operations),
                             .calls_timed = submits.calls + reaps.calls};
  }

  void collect_driver_counts(std::uint64_t window_operations) {
    LockSiteCount injected;
    for (const auto& meter : rig_->meters) injected += meter->measured_injected_locks();
    if (injected.acquisitions > 0) {
      DriverCountsMeasurement& counts = result_.driver_counts.emplace();
      counts.operations = window_operations;
      counts.lock_sites.push_back(lock_site(kInjectedLockSite, injected));
    }
    const CounterSource* source = rig_->driver.counters;
    if (source == nullptr) return;
    DriverCounts sum = std::move(service_counts_);
    for (const auto& meter : rig_->meters) sum += meter->measured_driver_counts();
    if (!result_.driver_counts) result_.driver_counts.emplace();
    DriverCountsMeasurement& counts = *result_.driver_counts;
    counts.operations = window_operations;
    for (std::size_t i = 0; i < source->lock_sites.size() && i < sum.locks.size(); ++i) {
      if (sum.locks[i].acquisitions == 0) continue;
      counts.lock_sites.push_back(lock_site(source->lock_sites[i], sum.locks[i]));
    }
    if (!source->whole_engine) return;
    counts.shared_rmw = sum.shared_rmw;
    counts.allocations = sum.allocations;
    counts.wakeups = sum.wakeups;
  }

  const Row& row_;
  const RunSettings& settings_;
  const std::atomic<bool>& stop_;
  const RowProgress& progress_;
  const OnHang& on_hang_;
  std::unique_ptr<Rig> rig_;
  std::vector<ThreadCounters> thread_counters_;  // empty or one for each thread
  std::unique_ptr<Crew> crew_;                   // ends before the rig
  Watchdog watchdog_;
  DriverCounts service_counts_;  // in the window
  std::optional<Observation> observation_;
  Measurement result_;
};

}  // namespace

Measurement run_repetition(const Driver& driver, const Row& row, const RunSettings& settings,
                           const std::atomic<bool>& stop, const RowProgress& progress,
                           const OnHang& on_hang) {
  prepare_target_contents(row);
  return Repetition(driver, row, settings, stop, progress, on_hang).run();
}

}  // namespace aioscope
