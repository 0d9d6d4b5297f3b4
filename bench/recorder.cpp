#include "bench/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/host.h"
#include "bench/measure/clock.h"
#include "bench/options.h"
#include "bench/output.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

// Single quotes where a POSIX shell would take the text apart.
std::string shell_quoted(const std::string& text) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::vector<std::string> external_objects(const RunRequest& request) {
  std::vector<std::string> objects;
  for (const RowOptions& part : request.parts) {
    for (const std::string& driver : part.drivers) {
      if (driver.ends_with(".so") || driver.find('/') != std::string::npos) {
        objects.push_back(driver);
      }
    }
  }
  return objects;
}

std::string options_json(const RunOptions& options) {
  return Json{{"suite", options.suite},
              {"file", options.file},
              {"create_bytes", options.create_bytes},
              {"pin", pinning_text(options.pin)},
              {"warmup_ns", options.warmup_ns},
              {"duration_ns", options.duration_ns},
              {"operations", options.operations},
              {"inject", options.inject},
              {"time_budget_ns", options.time_budget_ns},
              {"repetitions", options.repetitions},
              {"only", options.only},
              {"skip", options.skip},
              {"watchdog_ns", options.watchdog_ns},
              {"no_harness_price", options.no_harness_price},
              {"no_tracepoints", options.no_tracepoints},
              {"allow_destructive", options.allow_destructive},
              {"baseline", options.baseline},
              {"locks", options.locks},
              {"counters", options.counters},
              {"counters_best_effort", options.counters_best_effort},
              {"split", options.split},
              {"profile_hz", options.profile_hz},
              {"layers", options.layers}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<DescribedRow> describe(const Plan& plan, const RunRequest& request) {
  std::vector<DescribedRow> rows;
  const std::vector<std::string> externals = external_objects(request);
  for (const PlannedRow& planned : plan.rows) {
    rows.push_back({.row = planned.row,
                    .price_only = planned.price_only,
                    .price_row = planned.price_row,
                    .command = row_command(planned.row, plan, request.run, externals)});
  }
  return rows;
}

TableOptions in_color(TableOptions options, bool color) {
  options.color = color;
  return options;
}

}  // namespace

std::string row_command(const Row& row, const Plan& plan, const RunOptions& options,
                        const std::vector<std::string>& externals) {
  std::string text = "aioscope run";
  const auto add = [&](std::string_view option, const std::string& value) {
    text += fmt::format(" --{} {}", option, shell_quoted(value));
  };
  if (Registry().find(row.driver) != nullptr) {
    add("driver", row.driver);
  } else {
    for (const std::string& object : externals) add("driver", object);
    add("only", "^" + row.driver + "/");
  }
  add("workload", std::string(workload_name(row.workload)));
  add("target", row.target.text());
  add("submitters", std::to_string(row.submitters));
  if (row.workload == Workload::kShared || row.workload == Workload::kGrouped) {
    add("reapers", std::to_string(row.reapers));
  }
  if (row.workload == Workload::kGrouped) add("contexts", std::to_string(row.contexts));
  add("depth", std::to_string(row.depth));
  add("batch", std::to_string(row.batch));
  if (row.reap_min != 1) add("reap-min", std::to_string(row.reap_min));
  add("block-size", std::to_string(row.block_size));
  add("operation", std::string(operation_name(row.operation)));
  if (row.operation == Operation::kMixed) add("read-percent", std::to_string(row.read_percent));
  if (row.pattern != AccessPattern::kRandom) {
    add("pattern", std::string(access_pattern_name(row.pattern)));
  }
  if (row.buffered) text += " --buffered";
  if (row.verify) text += " --verify";
  if (row.rate_per_s > 0) {
    add("rate", fmt::format("{}", row.rate_per_s));
    add("arrival", std::string(arrival_name(row.arrival)));
  }
  if (row.latency != LatencyMode::kAuto)
    add("latency", std::string(latency_mode_name(row.latency)));
  if (row.observe != Observe::kAsked) add("observe", std::string(observe_name(row.observe)));
  if (options.pin.policy != PinPolicy::kNone) add("pin", pinning_text(options.pin));
  if (options.allow_destructive) text += " --allow-destructive";
  if (!options.counters.empty())
    add("counters", fmt::format("{}", fmt::join(options.counters, ",")));
  if (options.counters_best_effort) text += " --counters-best-effort";
  if (options.profile_hz > 0) add("profile", std::to_string(options.profile_hz));
  if (!options.layers.empty()) add("layers", options.layers);
  if (options.locks) text += " --locks";
  if (options.no_tracepoints) text += " --no-tracepoints";
  if (options.watchdog_ns != RunOptions().watchdog_ns) {
    add("watchdog", fmt::format("{}ns", options.watchdog_ns));
  }
  if (!options.inject.empty()) add("inject", options.inject);
  if (options.operations > 0) {
    add("operations", std::to_string(options.operations));
  } else {
    add("warmup", fmt::format("{}us", plan.warmup_ns / 1000));
    add("duration", fmt::format("{}us", plan.window_ns / 1000));
  }
  add("repetitions", std::to_string(plan.repetitions));
  add("seed", std::to_string(plan.seed));
  return text;
}

Recorder::Recorder(const Plan& plan, const RunRequest& request, const Machine& machine,
                   std::vector<std::string> command)
    : plan_(plan),
      format_(request.run.format),
      streams_(streams(request.run)),
      command_(std::move(command)),
      host_(host_json(machine)),
      summary_(describe(plan, request), plan.baseline),
      table_{.locks = request.run.locks,
             .counters = !plan.counters.empty(),
             .split = request.run.split},
      instruments_(instruments_of(request.run)),
      self_cost_(state_directory(), host_["fingerprint"]),
      prices_(self_cost_.load()) {
  if (!request.run.output.empty() && request.run.output != "-") {
    writers_.push_back(std::make_unique<ResultWriter>(request.run.output));
  }
  if (streams_) writers_.push_back(std::make_unique<ResultWriter>("-"));
  std::vector<Target> targets;
  for (const PlannedRow& planned : plan.rows) targets.push_back(planned.row.target);
  const RunDescription description{.command = command_,
                                   .options_json = options_json(request.run),
                                   .seed = plan.seed,
                                   .repetitions = plan.repetitions,
                                   .warmup_ns = plan.warmup_ns,
                                   .window_ns = plan.window_ns,
                                   .operations = plan.operations,
                                   .pin = pinning_text(request.run.pin),
                                   .looking = looking_json(instruments_, prices_).dump(),
                                   .rows = summary_.described()};
  for (const auto& writer : writers_) writer->header(description, host_, targets_json(targets));
}

std::size_t Recorder::index_of(const PlannedRow& row) const {
  return std::size_t(&row - plan_.rows.data());
}

void Recorder::skipped(const PlannedRow& row) {
  const std::size_t index = index_of(row);
  summary_.skip(index, row.skip_reason, row.skip_cure);
  for (const auto& writer : writers_) {
    writer->skipped(index, row.row.name(), row.skip_reason, row.skip_cure);
  }
}

void Recorder::measured(const PlannedRow& row, const PlanItem& item, std::size_t position,
                        const RunSettings& settings, const Measurement& measurement) {
  const std::size_t index = index_of(row);
  summary_.add(index, item.repetition, measurement);
  for (const auto& writer : writers_) {
    writer->repetition(index, row.row.name(), item.repetition, position, settings.seed,
                       measurement);
  }
}

void Recorder::failed(const PlannedRow& row, const PlanItem& item, std::size_t position,
                      Failure failure, const std::string& message) {
  const std::size_t index = index_of(row);
  summary_.skip(index, message, "");
  const auto kind = failure == Failure::kInvalid ? FailureKind::kInvalid : FailureKind::kRuntime;
  for (const auto& writer : writers_) {
    writer->failed(index, row.row.name(), item.repetition, position, kind, message);
  }
}

void Recorder::abandon(const PlannedRow& row, const PlanItem& item, std::size_t position,
                       const std::string& message) {
  try {
    failed(row, item, position, Failure::kRuntime, message);
  } catch (const ResultFileError& error) {
    fmt::print(stderr, "aioscope: {}\n", error.what());
  }
  for (const auto& writer : writers_) {
    if (writer->current_path() == "-") continue;
    fmt::print(stderr, "aioscope: the results so far are in {}\n", writer->current_path());
  }
}

bool Recorder::streams(const RunOptions& options) {
  return options.format == Format::kNdjson || options.output == "-";
}

void Recorder::finish(int exit_code) {
  const bool interrupted = exit_code == kExitInterrupted;
  for (const auto& writer : writers_)
    writer->finish(!interrupted, interrupted ? "interrupted" : "");
  if (!interrupted) keep_prices();
}

void Recorder::keep_prices() {
  auto fresh = looking_prices(summary_, instruments_, clock_ns(CLOCK_REALTIME));
  if (fresh.empty()) return;
  if (const std::string why = self_cost_.save(fresh); !why.empty()) {
    fmt::print(stderr, "aioscope: the price of looking is not kept: {}\n", why);
  }
  for (const LookingPrice& price : fresh) {
    std::erase_if(prices_, [&](const auto& old) { return old.instrument == price.instrument; });
  }
  std::ranges::move(fresh, std::back_inserter(prices_));
}

std::string Recorder::text(bool color) const {
  if (streams_) return {};
  switch (format_) {
    case Format::kTable:
      return table_text(summary_, in_color(table_, color)) + looking_text(instruments_, prices_);
    case Format::kCsv:
      return csv_text(summary_);
    case Format::kGbench:
      return gbench_text(summary_, host_, command_.empty() ? "aioscope" : command_.front());
    case Format::kNdjson:
      break;
  }
  return {};
}

}  // namespace aioscope
