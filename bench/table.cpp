// The table on standard output.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "bench/lock_table.h"
#include "bench/output.h"

namespace aioscope {
namespace {

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

// The price is an upper bound, and that of another row: it can be more than all there is.
std::string bound_text(double share) { return share > 1 ? "> 100 %" : percent_text(share); }

// For columns with the unit in their head.
std::string share_text(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.1f}", 100 * share);
}

std::string number_text(double value, const char* format = "{:.3g}") {
  return std::isnan(value) ? "-" : fmt::format(fmt::runtime(format), value);
}

std::string ratio_text(double ratio) {
  return std::isnan(ratio) ? "-" : fmt::format("{:.2f}x", ratio);
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
      {"observe", false, [](const Row& row) { return std::string(observe_name(row.observe)); }},
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
  Table(const Summary& summary, const TableOptions& options)
      : summary_(summary), options_(options) {
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
      if (options_.counters) out += counters();
      if (options_.split) out += split();
      if (options_.locks) out += locks();
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
    return options_.color ? "\033[1m" + text + "\033[0m" : text;
  }

  template <typename Property>
  bool any(Property&& property) const {
    return std::ranges::any_of(shown_, property);
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

  // What names a row, and its throughput.
  void make_head() {
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
    if (!summary_.baseline().empty()) {
      add("vs", summary_.baseline(), false,
          [&](std::size_t i) { return ratio_text(summaries_[i].vs_baseline); });
    }
  }

  // Shares of the samples of all threads.
  void make_profile_columns() {
    add("aio", "%", false, [&](std::size_t i) { return share_text(summaries_[i].aio_share); });
    add("lock wait", "%", false,
        [&](std::size_t i) { return share_text(summaries_[i].lock_wait_share); });
    add("harness", "%", false,
        [&](std::size_t i) { return share_text(summaries_[i].harness_samples_share); });
    add("instrument", "%", false,
        [&](std::size_t i) { return share_text(summaries_[i].instrument_share); });
  }

  void make_columns() {
    make_head();
    if (std::ranges::any_of(shown_, [&](auto i) { return summaries_[i].failed_share > 0; })) {
      add("failed", "", false,
          [&](std::size_t i) { return percent_text(summaries_[i].failed_share); });
    }
    add("spread", "", false, [&](std::size_t i) { return percent_text(summaries_[i].spread); });
    add("CPU", "ns/op", false,
        [&](std::size_t i) { return number_text(summaries_[i].cpu_ns_per_op, "{:.1f}"); });
    add("user", "ns/op", false,
        [&](std::size_t i) { return number_text(summaries_[i].cpu_user_ns_per_op, "{:.1f}"); });
    add("harness", "share", false,
        [&](std::size_t i) { return bound_text(summaries_[i].harness_share); });
    if (any([&](std::size_t i) { return summaries_[i].profiled; })) make_profile_columns();
    if (std::ranges::any_of(shown_, [&](auto i) {
          return row(i).submitters > 1 && !std::isnan(summaries_[i].scaling);
        })) {
      add("scaling", "vs 1", false,
          [&](std::size_t i) { return ratio_text(summaries_[i].scaling); });
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

  // Of which row's counters there are the most: rows that were not observed have none.
  const std::vector<CounterSummary>& counter_names() const {
    return std::ranges::max_element(
               summaries_, {}, [](const RowSummary& summary) { return summary.counters.size(); })
        ->counters;
  }

  std::string counters() {
    columns_.clear();
    make_head();
    const auto& names = counter_names();
    for (std::size_t n = 0; n < names.size(); ++n) {
      const bool had = std::ranges::any_of(
          shown_, [&](std::size_t i) { return !std::isnan(counter_of(i, n).per_op); });
      if (!had) continue;
      add(names[n].name, names[n].in_ns ? "ns/op" : "/op", false, [&](std::size_t i) {
        const CounterSummary counter = counter_of(i, n);
        return number_text(counter.per_op, "{:.4g}") + (counter.scaled ? "~" : " ");
      });
    }
    return "\nCounted of the measured threads, medians:\n\n" + body() + counter_notes();
  }
  // NaN for a row without counters.
  CounterSummary counter_of(std::size_t row, std::size_t n) const {
    const auto& counters = summaries_[row].counters;
    return n < counters.size() ? counters[n]
                               : CounterSummary{.per_op = std::numeric_limits<double>::quiet_NaN()};
  }
  std::string counter_notes() const {
    std::string text;
    std::map<std::string, std::string> names_by_reason;
    for (const std::size_t i : shown_) {
      for (const CounterSummary& counter : summaries_[i].counters) {
        if (counter.scaled && text.empty()) {
          text = "~ counted for a part of the time, since others had the PMU, and scaled up\n";
        }
        if (counter.reason.empty()) continue;
        std::string& names = names_by_reason[counter.reason];
        if ((", " + names + ",").find(", " + counter.name + ",") != std::string::npos) continue;
        names += (names.empty() ? "" : ", ") + counter.name;
      }
    }
    for (const auto& [reason, names] : names_by_reason) {
      text += fmt::format("not counted: {}: {}\n", names, reason);
    }
    return text.empty() ? text : "\n" + text;
  }

  // Who pays for an operation.
  std::string split() {
    columns_.clear();
    make_head();
    const auto add_time = [&](const char* title, const char* unit, double LatencySplit::*figure) {
      add(title, unit, false,
          [&](std::size_t i) { return duration_text(summaries_[i].split.*figure); });
    };
    add_time("submit call", "/op", &LatencySplit::submit_call_ns_per_op);
    add_time("in flight", "/op", &LatencySplit::in_flight_ns_per_op);
    add_time("reap call", "/op", &LatencySplit::reap_call_ns_per_op);
    add("calls", "timed", false,
        [&](std::size_t i) { return fmt::format("{}", summaries_[i].split.calls_timed); });
    return "\nWho pays; calls wait for other threads in some drivers, reap calls for "
           "completions:\n\n" +
           body();
  }

  // What drivers count of themselves and what the kernel was seen to wait for; for a few rows the
  // lock sites one by one.
  std::string locks() {
    const auto known = [&](std::size_t i) {
      const RowSummary& summary = summaries_[i];
      return summary.counts || summary.kernel_locks || summary.futex_waits;
    };
    std::erase_if(shown_, [&](std::size_t i) { return !known(i); });
    if (shown_.empty())
      return "\nNone of these drivers counts its locks; kioctx and io_uring do.\n";
    columns_.clear();
    make_head();
    add("CPU", "ns/op", false,
        [&](std::size_t i) { return number_text(summaries_[i].cpu_ns_per_op, "{:.1f}"); });
    make_lock_columns();
    return "\nLocks, all repetitions together; user: as the drivers count themselves, kernel and "
           "futex: as the kernel's tracepoints tell:\n\n" +
           body() + lock_sites();
  }

  void make_lock_columns() {
    const auto add_count = [&](const char* title, const char* unit, const char* format,
                               double CountsPerOperation::*figure) {
      add(title, unit, false, [&](std::size_t i) {
        return number_text(per_operation(summaries_[i].counts).*figure, format);
      });
    };
    const auto add_waits = [&](const char* title, const char* unit, const char* format,
                               std::optional<LockWaits> RowSummary::*waits,
                               double WaitsPerOperation::*figure) {
      if (!any([&](std::size_t i) { return (summaries_[i].*waits).has_value(); })) return;
      add(title, unit, false, [&](std::size_t i) {
        return number_text(per_operation(summaries_[i].*waits).*figure, format);
      });
    };
    add_count("locks", "/op", "{:.3f}", &CountsPerOperation::lock_acquisitions);
    add_count("contended", "/op", "{:.4f}", &CountsPerOperation::lock_contended);
    add_count("lock wait", "ns/op", "{:.2f}", &CountsPerOperation::lock_wait_ns);
    add_waits("kernel", "contd./op", "{:.4f}", &RowSummary::kernel_locks,
              &WaitsPerOperation::contended);
    add_waits("lock wait", "kernel ns/op", "{:.2f}", &RowSummary::kernel_locks,
              &WaitsPerOperation::wait_ns);
    add_waits("asleep", "futex ns/op", "{:.2f}", &RowSummary::futex_waits,
              &WaitsPerOperation::wait_ns);
    add_count("shared RMW", "/op", "{:.3f}", &CountsPerOperation::shared_rmw);
    add_count("alloc", "/op", "{:.3f}", &CountsPerOperation::allocations);
    add_count("wake-ups", "/op", "{:.4f}", &CountsPerOperation::wakeups);
  }

  std::string lock_sites() const {
    constexpr std::size_t kMostRows = 8;
    if (shown_.size() > kMostRows) {
      return "\nLock sites one by one: in the result file, or here for up to 8 rows (--only).\n";
    }
    std::string text = lock_sites_head();
    for (const std::size_t i : shown_) {
      text += row(i).name() + "\n" + lock_sites_text(summaries_[i]);
    }
    return text;
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
    if (any([&](std::size_t i) { return summaries_[i].oversubscribed; })) {
      text +=
          "* more threads (the driver's and a simulated device's too) than CPUs: waits include "
          "preemption\n";
    }
    if (any([&](std::size_t i) { return !summaries_[i].system_calls_traced; })) {
      text += "d as the driver counts them, not the kernel ('aioscope doctor' says why)\n";
    }
    if (any([&](std::size_t i) { return summaries_[i].profiled; })) {
      text +=
          "aio, lock wait, harness, instrument %: of the sampled CPU time of all threads; lock "
          "wait is part of aio, instrument is the kernel's work of looking\n";
      if (any([&](std::size_t i) {
            return summaries_[i].profiled && summaries_[i].oversubscribed;
          })) {
        text += "in rows with *, these shares are good to 10 points only\n";
      }
      if (any([&](std::size_t i) { return summaries_[i].blind_to_lock_waits; })) {
        text +=
            "lock wait %: a timer cannot sample waits in the kernel with interrupts off; --locks "
            "sees them too\n";
      }
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
  const TableOptions options_;
  std::vector<RowSummary> summaries_;
  std::vector<std::size_t> shown_;
  std::vector<Column> columns_;
};

}  // namespace

std::string table_text(const Summary& summary, const TableOptions& options) {
  return Table(summary, options).text();
}

}  // namespace aioscope
