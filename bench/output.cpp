#include "bench/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/build_info.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

// Columns a terminal uses for UTF-8 text of narrow characters.
std::size_t width_of(std::string_view text) {
  return std::size_t(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// "12.3 us": three significant digits and the unit that fits.
std::string duration_text(double ns) {
  if (std::isnan(ns)) return "-";
  constexpr std::pair<double, const char*> kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
  for (const auto& [unit, name] : kUnits) {
    if (ns >= unit) return fmt::format("{:.3g} {}", ns / unit, name);
  }
  return fmt::format("{:.3g} ns", ns);
}

std::string percent_text(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.1f} %", 100 * share);
}

std::string number_text(double value, const char* format = "{:.3g}") {
  return std::isnan(value) ? "-" : fmt::format(fmt::runtime(format), value);
}

// What tells one row from another besides driver, workload and target.
struct Parameter {
  const char* title;
  bool always;  // shown even when it has its default everywhere
  std::function<std::string(const Row&)> text;
};

std::string rate_text_of(const Row& row) {
  if (row.rate_per_s <= 0) return "closed";
  return fmt::format("{:g}/s {}", row.rate_per_s, arrival_name(row.arrival));
}

const std::vector<Parameter>& parameters() {
  static const std::vector<Parameter> all{
      {"threads", true,
       [](const Row& row) {
         if (row.workload == Workload::kPerThread) return fmt::format("{}", row.submitters);
         if (row.workload == Workload::kAggregate) return fmt::format("{}+1", row.submitters);
         if (row.workload == Workload::kShared) {
           return fmt::format("{}+{}", row.submitters, row.reapers);
         }
         return fmt::format("{}+{}/{}", row.submitters, row.reapers, row.contexts);
       }},
      {"depth", true, [](const Row& row) { return fmt::format("{}", row.depth); }},
      {"batch", true, [](const Row& row) { return fmt::format("{}", row.batch); }},
      {"reap min", false, [](const Row& row) { return fmt::format("{}", row.reap_min); }},
      {"block B", true, [](const Row& row) { return fmt::format("{}", row.block_size); }},
      {"operation", true,
       [](const Row& row) {
         std::string text(operation_name(row.operation));
         if (row.operation == Operation::kMixed)
           text += fmt::format(" {} % reads", row.read_percent);
         return text;
       }},
      {"pattern", false,
       [](const Row& row) { return std::string(access_pattern_name(row.pattern)); }},
      {"buffered", false, [](const Row& row) { return std::string(row.buffered ? "yes" : "no"); }},
      {"verify", false, [](const Row& row) { return std::string(row.verify ? "yes" : "no"); }},
      {"arrival", false, rate_text_of},
      {"latency", false,
       [](const Row& row) { return std::string(latency_mode_name(row.latency)); }},
  };
  return all;
}

struct Column {
  std::string title;
  std::string unit;
  bool left = false;
  std::vector<std::string> cells;
};

class Table {
 public:
  Table(const Summary& summary, bool color) : summary_(summary), color_(color) {
    const auto& described = summary.described();
    summaries_ = summary.rows();
    for (std::size_t i = 0; i < described.size(); ++i) {
      if (!described[i].price_only && !summaries_[i].repetitions.empty()) shown_.push_back(i);
    }
    std::ranges::stable_sort(
        shown_, [&](std::size_t a, std::size_t b) { return group_of(a) < group_of(b); });
  }

  std::string text() {
    std::string out;
    if (!shown_.empty()) {
      make_columns();
      out += shared_parameters() + "\n\n" + body() + legend();
    }
    return out + warnings() + skipped();
  }

 private:
  const Row& row(std::size_t i) const { return summary_.described()[i].row; }
  std::string group_of(std::size_t i) const {
    return fmt::format("{} {} {}", int(row(i).target.kind), row(i).target.text(),
                       int(row(i).workload));
  }
  std::string bold(const std::string& text) const {
    return color_ ? "\033[1m" + text + "\033[0m" : text;
  }

  bool varies(const Parameter& parameter) const {
    return std::ranges::any_of(shown_, [&](std::size_t i) {
      return parameter.text(row(i)) != parameter.text(row(shown_.front()));
    });
  }

  std::string shared_parameters() const {
    std::string text;
    for (const Parameter& parameter : parameters()) {
      const std::string value = parameter.text(row(shown_.front()));
      const bool usual = !parameter.always && value == parameter.text(Row{});
      if (varies(parameter) || usual) continue;
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", parameter.title, value);
    }
    std::size_t most = 0;
    for (const std::size_t i : shown_) {
      most = std::max(most, summaries_[i].repetitions.size());
    }
    return fmt::format("{}; medians of {} repetition{}", text, most, most == 1 ? "" : "s");
  }

  template <typename Cell>
  void add(std::string title, std::string unit, bool left, Cell&& cell) {
    Column column{std::move(title), std::move(unit), left, {}};
    for (const std::size_t i : shown_) column.cells.push_back(cell(i));
    columns_.push_back(std::move(column));
  }

  void make_columns() {
    add("target", "", true, [&](std::size_t i) { return row(i).target.label(); });
    add("workload", "", true,
        [&](std::size_t i) { return std::string(workload_name(row(i).workload)); });
    add("driver", "", true, [&](std::size_t i) { return row(i).driver; });
    for (const Parameter& parameter : parameters()) {
      if (varies(parameter)) {
        add(parameter.title, "", false, [&](std::size_t i) { return parameter.text(row(i)); });
      }
    }
    add("throughput", "kop/s", false, [&](std::size_t i) {
      return fmt::format("{:.1f}{}", summaries_[i].operations_per_s_median / 1e3,
                         summaries_[i].oversubscribed ? "*" : " ");
    });
    add("spread", "", false, [&](std::size_t i) { return percent_text(summaries_[i].spread); });
    add("CPU", "ns/op", false,
        [&](std::size_t i) { return number_text(summaries_[i].cpu_ns_per_op, "{:.1f}"); });
    add("user", "ns/op", false,
        [&](std::size_t i) { return number_text(summaries_[i].cpu_user_ns_per_op, "{:.1f}"); });
    add("harness", "share", false,
        [&](std::size_t i) { return percent_text(summaries_[i].harness_share); });
    if (std::ranges::any_of(shown_, [&](auto i) {
          return row(i).submitters > 1 && !std::isnan(summaries_[i].scaling);
        })) {
      add("scaling", "vs 1", false, [&](std::size_t i) {
        return std::isnan(summaries_[i].scaling) ? "-"
                                                 : fmt::format("{:.2f}x", summaries_[i].scaling);
      });
    }
    add("p50", "", false, [&](std::size_t i) {
      return duration_text(supported_percentile_ns(summaries_[i].latency, 0.50));
    });
    add("p99", "", false, [&](std::size_t i) {
      return duration_text(supported_percentile_ns(summaries_[i].latency, 0.99));
    });
    add("syscalls", "/op", false, [&](std::size_t i) {
      return number_text(summaries_[i].system_calls_per_op, "{:.3f}") +
             (summaries_[i].system_calls_traced ? " " : "d");
    });
    add("switches", "/op", false, [&](std::size_t i) {
      return number_text(summaries_[i].context_switches_per_op, "{:.4f}");
    });
  }

  static std::string padded(const std::string& text, std::size_t width, bool left) {
    const std::string space(width - std::min(width, width_of(text)), ' ');
    return left ? text + space : space + text;
  }

  std::string line(const std::function<std::string(const Column&)>& cell) const {
    std::string text;
    for (const Column& column : columns_) {
      std::size_t width = std::max(width_of(column.title), width_of(column.unit));
      for (const std::string& other : column.cells) width = std::max(width, width_of(other));
      if (!text.empty()) text += "  ";
      text += padded(cell(column), width, column.left);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }

  std::string body() const {
    std::string text = bold(line([](const Column& column) { return column.title; })) + "\n";
    text += line([](const Column& column) { return column.unit; }) + "\n";
    for (std::size_t n = 0; n < shown_.size(); ++n) {
      if (n > 0 && group_of(shown_[n]) != group_of(shown_[n - 1])) text += "\n";
      text += line([&](const Column& column) { return column.cells[n]; }) + "\n";
    }
    return text;
  }

  std::string legend() const {
    std::string text;
    const auto any = [&](auto&& property) { return std::ranges::any_of(shown_, property); };
    if (any([&](std::size_t i) { return summaries_[i].oversubscribed; })) {
      text += "* more threads than CPUs: waits include preemption\n";
    }
    if (any([&](std::size_t i) { return !summaries_[i].system_calls_traced; })) {
      text += "d as the driver counts them, not the kernel ('aioscope doctor' says why)\n";
    }
    return text.empty() ? text : "\n" + text;
  }

  // The same warning of many rows is said once.
  std::string warnings() const {
    std::map<std::string, std::vector<std::string>> by_text;
    for (const std::size_t i : shown_) {
      for (const std::string& warning : summaries_[i].warnings) {
        by_text[warning].push_back(row(i).name());
      }
    }
    std::string text;
    if (const std::string build = build_warning(); !build.empty()) {
      text += fmt::format("warning: {}\n", build);
    }
    for (const auto& [warning, names] : by_text) {
      text += fmt::format(
          "warning: {}: {}{}\n", names.front(), warning,
          names.size() == 1 ? "" : fmt::format(" (and {} more rows)", names.size() - 1));
    }
    return text.empty() ? text : "\n" + text;
  }

  std::string skipped() const {
    std::string text;
    for (std::size_t i = 0; i < summaries_.size(); ++i) {
      const RowSummary& summary = summaries_[i];
      if (summary.skip_reason.empty()) continue;
      text += fmt::format("without a result: {}: {}{}{}\n", row(i).name(), summary.skip_reason,
                          summary.skip_cure.empty() ? "" : "; ", summary.skip_cure);
    }
    return text.empty() ? text : "\n" + text;
  }

  const Summary& summary_;
  const bool color_;
  std::vector<RowSummary> summaries_;
  std::vector<std::size_t> shown_;
  std::vector<Column> columns_;
};

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

std::string label_of(const Row& row) {
  return fmt::format("driver={} workload={} target={}", row.driver, workload_name(row.workload),
                     row.target.label());
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
                  std::uint32_t repetition, const Row& row) {
  return {{"name", name},
          {"family_index", family},
          {"per_family_instance_index", 0},
          {"run_name", name},
          {"run_type", "iteration"},
          {"repetitions", repetitions},
          {"repetition_index", repetition},
          {"threads", row.threads()},
          {"label", label_of(row)}};
}

}  // namespace

std::string table_text(const Summary& summary, bool color) { return Table(summary, color).text(); }

std::string csv_text(const Summary& summary) {
  std::string text =
      "name,driver,workload,target,submitters,reapers,contexts,depth,batch,block_size_bytes,"
      "operation,repetition,operations,operations_per_s,cpu_user_ns_per_op,cpu_system_ns_per_op,"
      "latency_p50_ns,latency_p90_ns,latency_p99_ns,latency_p999_ns,latency_max_ns,"
      "system_calls_per_op,system_calls_source,context_switches_per_op,fairness_jain,"
      "harness_share,oversubscribed,error\n";
  const auto summaries = summary.rows();
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
      text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},\n", head,
                          f.repetition, f.operations, csv_number(f.operations_per_s),
                          csv_number(f.cpu_user_ns_per_op), csv_number(f.cpu_system_ns_per_op),
                          csv_number(f.latency_p50_ns), csv_number(f.latency_p90_ns),
                          csv_number(f.latency_p99_ns), csv_number(f.latency_p999_ns),
                          csv_number(f.latency_max_ns), csv_number(f.system_calls_per_op),
                          f.system_calls_traced ? "tracepoint" : "driver",
                          csv_number(f.context_switches_per_op), csv_number(f.fairness_jain),
                          csv_number(row.harness_share), row.oversubscribed ? "yes" : "no");
    }
    if (!row.skip_reason.empty()) {
      text += fmt::format("{},,,,,,,,,,,,,,,,,{}\n", head, csv_field(row.skip_reason));
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
      Json entry = gbench_entry(name, i, 1, 0, row);
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
      Json entry = gbench_entry(entry_name, i, figures.repetitions.size(), f.repetition, row);
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
