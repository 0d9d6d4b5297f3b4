#include "bench/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>

#include "bench/build_info.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

std::string csv_field(std::string text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  for (std::size_t i = 0; (i = text.find('"', i)) != std::string::npos; i += 2) {
    text.insert(i, 1, '"');
  }
  return '"' + text + '"';
}

std::string csv_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

std::string label_of(const Row& row, bool oversubscribed) {
  return fmt::format("driver={} workload={} target={}{}", row.driver, workload_name(row.workload),
                     row.target.label(), oversubscribed ? " oversubscribed=yes" : "");
}

Json gbench_context(const Json& host, const std::string& executable) {
  const std::time_t now = std::time(nullptr);
  Json caches = Json::array();
  for (const Json& cache : host.value("caches", Json::array())) {
    caches.push_back(
        {{"type", cache.value("type", "Unified")},
         {"level", cache.value("level", 0)},
         {"size", cache["size_bytes"].is_number() ? cache["size_bytes"] : Json(0)},
         {"num_sharing", cache["num_sharing"].is_number() ? cache["num_sharing"] : Json(1)}});
  }
  return {{"date", fmt::format("{:%FT%T%z}", fmt::localtime(now))},
          {"host_name", host.value("name", "")},
          {"executable", executable},
          {"num_cpus", host.value("cpus_online", 1)},
          {"mhz_per_cpu", host["cpu_mhz"].is_number() ? host["cpu_mhz"] : Json(0)},
          {"caches", std::move(caches)},
          {"load_avg", host.value("load_average", Json::array())},
          {"library_build_type", std::string_view(kBuildType) == "Release" ? "release" : "debug"},
          {"json_schema_version", 1}};
}

Json gbench_entry(const std::string& name, std::size_t family, std::size_t repetitions,
                  std::uint32_t repetition, const Row& row, bool oversubscribed) {
  return {{"name", name},
          {"family_index", family},
          {"per_family_instance_index", 0},
          {"run_name", name},
          {"run_type", "iteration"},
          {"repetitions", repetitions},
          {"repetition_index", repetition},
          {"threads", row.threads()},
          {"label", label_of(row, oversubscribed)}};
}

void add_counters(Json& entry, const CountsPerOperation& counts) {
  const std::pair<const char*, double> kCounters[] = {
      {"lock_acquisitions_per_op", counts.lock_acquisitions},
      {"lock_contended_per_op", counts.lock_contended},
      {"lock_wait_ns_per_op", counts.lock_wait_ns},
      {"shared_rmw_per_op", counts.shared_rmw},
      {"allocations_per_op", counts.allocations},
      {"wakeups_per_op", counts.wakeups}};
  for (const auto& [name, value] : kCounters) {
    if (std::isfinite(value)) entry[name] = value;
  }
}

// Those of kernel locks, futexes and the split, which stand before the counters.
std::vector<std::pair<const char*, double>> waits_and_split(const RepetitionFigures& figures) {
  const WaitsPerOperation locks = per_operation(figures.kernel_locks);
  return {{"kernel_lock_contended_per_op", locks.contended},
          {"kernel_lock_wait_ns_per_op", locks.wait_ns},
          {"futex_wait_ns_per_op", per_operation(figures.futex_waits).wait_ns},
          {"submit_call_ns_per_op", figures.split.submit_call_ns_per_op},
          {"in_flight_ns_per_op", figures.split.in_flight_ns_per_op},
          {"reap_call_ns_per_op", figures.split.reap_call_ns_per_op}};
}

// A column for each counter that some row has.
std::vector<std::string> counter_columns(const std::vector<RowSummary>& rows) {
  std::vector<std::string> names;
  for (const RowSummary& row : rows) {
    for (const CounterSummary& counter : row.counters) {
      if (std::ranges::find(names, counter.name) == names.end()) names.push_back(counter.name);
    }
  }
  return names;
}

double per_operation(const std::vector<CounterMeasurement>& counters, const std::string& name) {
  const auto found = std::ranges::find(counters, name, &CounterMeasurement::name);
  if (found == counters.end()) return std::numeric_limits<double>::quiet_NaN();
  return found->per_op.value_or(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

std::string csv_text(const Summary& summary) {
  std::string text =
      "name,driver,workload,target,submitters,reapers,contexts,depth,batch,block_size_bytes,"
      "operation,repetition,operations,operations_per_s,cpu_user_ns_per_op,cpu_system_ns_per_op,"
      "latency_p50_ns,latency_p90_ns,latency_p99_ns,latency_p999_ns,latency_max_ns,"
      "system_calls_per_op,system_calls_source,context_switches_per_op,fairness_jain,"
      "harness_share,oversubscribed,error,lock_acquisitions_per_op,lock_contended_per_op,"
      "lock_wait_ns_per_op,shared_rmw_per_op,allocations_per_op,wakeups_per_op";
  const auto summaries = summary.rows();
  const auto more = waits_and_split({});
  for (const auto& [name, value] : more) text += fmt::format(",{}", name);
  const std::vector<std::string> counters = counter_columns(summaries);
  for (const std::string& name : counters) text += "," + csv_field(name + "_per_op");
  text += "\n";
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const DescribedRow& described = summary.described()[i];
    const RowSummary& row = summaries[i];
    if (described.price_only) continue;
    const std::string head = fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{}", csv_field(described.row.name()),
        csv_field(described.row.driver), workload_name(described.row.workload),
        csv_field(described.row.target.text()), described.row.submitters, described.row.reapers,
        described.row.contexts, described.row.depth, described.row.batch, described.row.block_size,
        operation_name(described.row.operation));
    for (const RepetitionFigures& f : row.repetitions) {
      const CountsPerOperation counts = per_operation(f.counts);
      text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},,{},{},{},{},{},{}",
                          head, f.repetition, f.operations, csv_number(f.operations_per_s),
                          csv_number(f.cpu_user_ns_per_op), csv_number(f.cpu_system_ns_per_op),
                          csv_number(f.latency_p50_ns), csv_number(f.latency_p90_ns),
                          csv_number(f.latency_p99_ns), csv_number(f.latency_p999_ns),
                          csv_number(f.latency_max_ns), csv_number(f.system_calls_per_op),
                          f.system_calls_traced ? "tracepoint" : "driver",
                          csv_number(f.context_switches_per_op), csv_number(f.fairness_jain),
                          csv_number(row.harness_share), row.oversubscribed ? "yes" : "no",
                          csv_number(counts.lock_acquisitions), csv_number(counts.lock_contended),
                          csv_number(counts.lock_wait_ns), csv_number(counts.shared_rmw),
                          csv_number(counts.allocations), csv_number(counts.wakeups));
      for (const auto& [name, value] : waits_and_split(f)) text += "," + csv_number(value);
      for (const std::string& name : counters) {
        text += "," + csv_number(per_operation(f.counters, name));
      }
      text += "\n";
    }
    if (!row.skip_reason.empty()) {
      text += fmt::format("{},,,,,,,,,,,,,,,,,{},,,,,,{}\n", head, csv_field(row.skip_reason),
                          std::string(more.size() + counters.size(), ','));
    }
  }
  return text;
}

std::string gbench_text(const Summary& summary, const Json& host, const std::string& executable) {
  Json entries = Json::array();
  const auto summaries = summary.rows();
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    const Row& row = summary.described()[i].row;
    const RowSummary& figures = summaries[i];
    if (summary.described()[i].price_only) continue;
    const std::string name = row.name();
    if (!figures.skip_reason.empty()) {
      Json entry = gbench_entry(name, i, 1, 0, row, figures.oversubscribed);
      entry.update(Json::object({{"error_occurred", true},
                                 {"error_message", figures.skip_reason},
                                 {"iterations", 0},
                                 {"real_time", 0.0},
                                 {"cpu_time", 0.0},
                                 {"time_unit", "ns"}}));
      entries.push_back(std::move(entry));
    }
    const auto add = [&](const std::string& entry_name, const RepetitionFigures& f, double time_ns,
                         double cpu_ns) -> Json* {
      if (!std::isfinite(time_ns) || !std::isfinite(cpu_ns)) return nullptr;
      Json entry = gbench_entry(entry_name, i, figures.repetitions.size(), f.repetition, row,
                                figures.oversubscribed);
      entry.update(Json::object({{"iterations", f.operations},
                                 {"real_time", time_ns},
                                 {"cpu_time", cpu_ns},
                                 {"time_unit", "ns"}}));
      return &entries.emplace_back(std::move(entry));
    };
    for (const RepetitionFigures& f : figures.repetitions) {
      const double cpu_ns = f.cpu_user_ns_per_op + f.cpu_system_ns_per_op;
      if (Json* entry = add(name, f, 1e9 / f.operations_per_s, cpu_ns)) {
        (*entry)["items_per_second"] = f.operations_per_s;
        if (std::isfinite(figures.harness_share)) {
          (*entry)["harness_share"] = figures.harness_share;
        }
        add_counters(*entry, per_operation(f.counts));
        for (const auto& [counter, value] : waits_and_split(f)) {
          if (std::isfinite(value)) (*entry)[counter] = value;
        }
        for (const CounterMeasurement& counter : f.counters) {
          if (counter.per_op) (*entry)[counter.name + "_per_op"] = *counter.per_op;
        }
      }
    }
    const std::pair<const char*, double RepetitionFigures::*> kPercentiles[] = {
        {"p50", &RepetitionFigures::latency_p50_ns},
        {"p90", &RepetitionFigures::latency_p90_ns},
        {"p99", &RepetitionFigures::latency_p99_ns},
        {"p999", &RepetitionFigures::latency_p999_ns}};
    for (const auto& [percentile, member] : kPercentiles) {
      for (const RepetitionFigures& f : figures.repetitions) {
        add(fmt::format("{}/{}", name, percentile), f, f.*member, f.*member);
      }
    }
  }
  return Json{{"context", gbench_context(host, executable)}, {"benchmarks", std::move(entries)}}
             .dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         '\n';
}

}  // namespace aioscope
