#include "bench/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <set>

#include "bench/measure/profile/attribution.h"
#include "bench/options.h"
#include "bench/text_file.h"

namespace aioscope {
namespace {

class Session {
 public:
  Session(const Plan& plan, const RunOptions& run, const Topology& topology,
          const std::atomic<bool>& stop, SessionSink& sink, Progress& progress,
          const RepetitionRunner& runner)
      : plan_(plan),
        run_(run),
        topology_(topology),
        stop_(stop),
        sink_(sink),
        progress_(progress),
        runner_(runner) {
    if (run.profile_hz > 0 || run.locks) attribution_.emplace(layer_rules(run));
  }

  int run() {
    for (const PlannedRow& row : plan_.rows) {
      if (!row.runs()) skip(row);
    }
    for (std::size_t i = 0; i < plan_.order.size() && !stopped(); ++i) {
      if (!broken_.contains(plan_.order[i].row)) measure(plan_.order[i], i);
    }
    progress_.finish();
    if (stopped()) return kExitInterrupted;
    if (invalid_) return kExitInvalid;
    if (!broken_.empty()) return kExitRuntime;
    return measured_ == 0 ? kExitInvalid : kExitOk;  // a run without a result shows nothing
  }

 private:
  bool stopped() const { return stop_.load(std::memory_order_relaxed); }

  void skip(const PlannedRow& row) {
    progress_.message(
        fmt::format("skipped {}: {}; {}", row.row.name(), row.skip_reason, row.skip_cure));
    sink_.skipped(row);
  }

  RunSettings settings_of(const PlanItem& item) {
    const Row& row = plan_.rows[item.row].row;
    RunSettings settings;
    settings.warmup_ns = plan_.warmup_ns;
    settings.window_ns = plan_.window_ns;
    settings.operations = run_.operations;
    if (!plan_.rows[item.row].price_only) settings.injection = run_.injection;
    settings.watchdog_ns = run_.watchdog_ns;
    settings.cpus = cpus_for(topology_, run_.pin, row.threads());
    settings.usable_cpus = usable_cpus();
    // The same for every row of a round, so that they are compared on the same offsets.
    settings.seed = plan_.seed + item.repetition;
    settings.trace_system_calls = !run_.no_tracepoints;
    if (row.observed_by(Observe::kCounters)) settings.counters = plan_.counters;
    settings.counters_best_effort = run_.counters_best_effort;
    if (row.observed_by(Observe::kProfile)) settings.profile_hz = run_.profile_hz;
    settings.trace_locks = run_.locks && row.observed_by(Observe::kLocks);
    settings.attribution = attribution_ ? &*attribution_ : nullptr;
    return settings;
  }

  std::uint32_t usable_cpus() const {
    if (run_.pin.policy != PinPolicy::kList) return std::uint32_t(topology_.cpus.size());
    const std::set<int> distinct(run_.pin.list.begin(), run_.pin.list.end());
    return std::uint32_t(distinct.size());
  }

  void measure(const PlanItem& item, std::size_t position) {
    const PlannedRow& planned = plan_.rows[item.row];
    const RunSettings settings = settings_of(item);
    progress_.begin(planned.row.name());
    const auto measurement = try_repetition(item, position, settings);
    if (!measurement) return;
    if (stopped()) return progress_.fail();  // its window was cut short
    progress_.end(measurement->operations_per_s);
    sink_.measured(planned, item, position, settings, *measurement);
    ++measured_;
  }

  std::optional<Measurement> try_repetition(const PlanItem& item, std::size_t position,
                                            const RunSettings& settings) {
    const PlannedRow& planned = plan_.rows[item.row];
    Failure failure = Failure::kRuntime;
    std::string why;
    try {
      return runner_(
          *planned.driver, planned.row, settings, stop_,
          [this](std::int64_t elapsed_ns, std::uint64_t operations) {
            progress_.update(elapsed_ns, operations);
          },
          [&] { hang(item, position); });
    } catch (const InvalidResult& error) {
      failure = Failure::kInvalid;
      why = error.what();
    } catch (const RunError& error) {
      why = error.what();
    } catch (const SetupError& error) {
      why = error.what();
    }
    fail(item, position, failure, why);
    return std::nullopt;
  }

  void fail(const PlanItem& item, std::size_t position, Failure failure, const std::string& why) {
    const PlannedRow& planned = plan_.rows[item.row];
    progress_.fail();
    progress_.message(fmt::format("{} {}: {}", failure == Failure::kInvalid ? "INVALID" : "FAILED",
                                  planned.row.name(), why));
    sink_.failed(planned, item, position, failure, why);
    broken_.insert(item.row);
    invalid_ = invalid_ || failure == Failure::kInvalid;
  }

  // Threads of the driver may still run: nothing can be cleaned up, and nothing needs to be.
  [[noreturn]] void hang(const PlanItem& item, std::size_t position) {
    const PlannedRow& planned = plan_.rows[item.row];
    const std::string why = fmt::format(
        "the driver hangs: {} gave no completion and does not return; the run ends here",
        planned.row.name());
    progress_.message(why);
    sink_.abandon(planned, item, position, why);
    _exit(kExitRuntime);
  }

  const Plan& plan_;
  const RunOptions& run_;
  const Topology& topology_;
  const std::atomic<bool>& stop_;
  SessionSink& sink_;
  Progress& progress_;
  const RepetitionRunner& runner_;
  std::optional<Attribution> attribution_;  // with --profile or --locks
  std::set<std::size_t> broken_;            // rows that failed
  bool invalid_ = false;
  std::size_t measured_ = 0;
};

}  // namespace

void check_pinning(const Topology& topology, const Pinning& pinning) {
  const auto cpu = unusable_cpu(topology, pinning);
  if (!cpu) return;
  std::vector<int> usable;
  for (const Cpu& one : topology.cpus) usable.push_back(one.id);
  throw UsageError(fmt::format("--pin: CPU {} cannot be used by this process; usable are {}", *cpu,
                               format_cpu_list(usable)));
}

void require_counters(const Plan& plan, const RunOptions& run) {
  if (run.counters_best_effort) return;
  for (const Counter& counter : plan.counters) {
    if (counter.usable() || counter.optional) continue;
    throw RunError(fmt::format("--counters: {}: {}; or go on without it: --counters-best-effort",
                               counter.name, counter.refusal.text()));
  }
}

LayerRules layer_rules(const RunOptions& run) {
  LayerRules rules = LayerRules::builtin();
  if (run.layers.empty()) return rules;
  const auto text = read_text_file(run.layers);
  if (!text) {
    throw UsageError(
        fmt::format("--layers: {} cannot be read, or is no regular file with rules; check the path",
                    run.layers));
  }
  try {
    rules.prepend(LayerRules::parse(*text, run.layers));
  } catch (const LayerRulesError& error) {
    throw UsageError(fmt::format("--layers: {}", error.what()));
  }
  return rules;
}

void prepare_targets(const Plan& plan, const RunOptions& run) {
  std::set<std::string> made;
  for (const PlannedRow& planned : plan.rows) {
    if (!planned.runs()) continue;
    const Target& target = planned.row.target;
    if (target.kind == FileKind::kFile && run.create_bytes > 0 && made.insert(target.path).second) {
      make_target_file(target.path, run.create_bytes, run.allow_destructive);
    }
    check_target(planned.row, run.allow_destructive);
  }
}

int run_session(const Plan& plan, const RunOptions& run, const Topology& topology,
                const std::atomic<bool>& stop, SessionSink& sink, Progress& progress,
                const RepetitionRunner& runner) {
  return Session(plan, run, topology, stop, sink, progress, runner).run();
}

}  // namespace aioscope
