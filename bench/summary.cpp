#include "bench/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "bench/build_info.h"
#include "bench/plan.h"

namespace aioscope {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMostHarnessShare = 0.10;

template <typename Value>
double median_of(const std::vector<RepetitionFigures>& repetitions, Value&& value) {
  std::vector<double> values;
  for (const RepetitionFigures& figures : repetitions) values.push_back(value(figures));
  return median(std::move(values));
}

void summarise_system_calls(RowSummary& row) {
  const auto traced = [](const RepetitionFigures& figures) { return figures.system_calls_traced; };
  row.system_calls_traced = std::ranges::any_of(row.repetitions, traced);
  row.system_calls_per_op = median_of(row.repetitions, [&](const RepetitionFigures& figures) {
    return traced(figures) == row.system_calls_traced ? figures.system_calls_per_op : kNaN;
  });
}

void summarise_split(RowSummary& row) {
  for (const auto member :
       {&LatencySplit::submit_call_ns_per_op, &LatencySplit::in_flight_ns_per_op,
        &LatencySplit::reap_call_ns_per_op}) {
    row.split.*member = median_of(row.repetitions, [member](const RepetitionFigures& figures) {
      return figures.split.*member;
    });
  }
  row.split.calls_timed = 0;
  for (const RepetitionFigures& figures : row.repetitions) {
    row.split.calls_timed += figures.split.calls_timed;
  }
}

// What one site has in all the repetitions that saw it.
struct SiteOfRepetitions {
  WaitSite sum;
  std::vector<double> p50, p99;
};

// One that was traced, if any was; else why not.
std::optional<LockWaits> sum_of_waits(const RowSummary& row,
                                      std::optional<LockWaits> RepetitionFigures::*of_repetition) {
  std::optional<LockWaits> sum;
  std::map<std::pair<std::string, std::string>, SiteOfRepetitions> sites;
  for (const RepetitionFigures& figures : row.repetitions) {
    const std::optional<LockWaits>& waits = figures.*of_repetition;
    if (!waits) continue;
    if (!sum || (!sum->traced() && waits->traced())) {
      sum = LockWaits{.source = waits->source,
                      .reason = waits->reason,
                      .symbols_reason = waits->symbols_reason,
                      .sites = {}};
    }
    if (!waits->traced()) continue;
    sum->operations += waits->operations;
    sum->events += waits->events;
    sum->lost += waits->lost;
    sum->unfinished += waits->unfinished;
    sum->recording_ns += waits->recording_ns;
    for (const WaitSite& site : waits->sites) {
      const auto [at, is_new] = sites.try_emplace({site.site, site.kind});
      SiteOfRepetitions& to = at->second;
      if (is_new) to.sum.layer = site.layer;
      if (to.sum.layer != site.layer) to.sum.layer.clear();  // of several
      to.sum.contended += site.contended;
      to.sum.wait_ns += site.wait_ns;
      if (site.wait_ns_p50) to.p50.push_back(*site.wait_ns_p50);
      if (site.wait_ns_p99) to.p99.push_back(*site.wait_ns_p99);
      if (site.wait_ns_max) {
        to.sum.wait_ns_max = std::max(to.sum.wait_ns_max.value_or(0), *site.wait_ns_max);
      }
    }
  }
  for (auto& [key, site] : sites) {
    site.sum.site = key.first;
    site.sum.kind = key.second;
    if (!site.p50.empty()) site.sum.wait_ns_p50 = median(site.p50);
    if (!site.p99.empty()) site.sum.wait_ns_p99 = median(site.p99);
    sum->sites.push_back(std::move(site.sum));
  }
  if (sum) std::ranges::stable_sort(sum->sites, std::greater{}, &WaitSite::wait_ns);
  return sum;
}

void add_lock_sites(std::vector<DriverCountsMeasurement::LockSite>& sum,
                    const std::vector<DriverCountsMeasurement::LockSite>& more) {
  using Site = DriverCountsMeasurement::LockSite;
  for (const Site& site : more) {
    auto at = std::ranges::find(sum, site.site, &Site::site);
    if (at == sum.end()) at = sum.insert(at, Site{.site = site.site, .times = {}});
    at->acquisitions += site.acquisitions;
    at->contended += site.contended;
    at->wait_ns += site.wait_ns;
    at->times.max_ns = std::fmax(at->times.max_ns, site.times.max_ns);
  }
}

// The medians of what the repetitions found, as for the waits that are traced.
void summarise_wait_percentiles(RowSummary& row) {
  if (!row.counts) return;
  for (auto& site : row.counts->lock_sites) {
    std::vector<double> p50, p99;
    for (const RepetitionFigures& figures : row.repetitions) {
      if (!figures.counts) continue;
      for (const auto& same : figures.counts->lock_sites) {
        if (same.site != site.site) continue;
        p50.push_back(same.times.p50_ns);
        p99.push_back(same.times.p99_ns);
      }
    }
    site.times.p50_ns = median(p50);
    site.times.p99_ns = median(p99);
  }
}

void add_counts(std::optional<DriverCountsMeasurement>& sum,
                const std::optional<DriverCountsMeasurement>& more) {
  if (!more) return;
  if (!sum) sum.emplace();
  sum->operations += more->operations;
  add_lock_sites(sum->lock_sites, more->lock_sites);
  for (const auto member :
       {&DriverCountsMeasurement::shared_rmw, &DriverCountsMeasurement::allocations,
        &DriverCountsMeasurement::wakeups}) {
    if ((*more).*member) (*sum).*member = ((*sum).*member).value_or(0) + *((*more).*member);
  }
}

// All repetitions of a row have the same counters.
void summarise_counters(RowSummary& row) {
  if (row.repetitions.empty()) return;
  const auto& asked_for = row.repetitions.front().counters;
  for (std::size_t i = 0; i < asked_for.size(); ++i) {
    CounterSummary& counter =
        row.counters.emplace_back(CounterSummary{asked_for[i].name, asked_for[i].in_ns});
    counter.per_op = median_of(row.repetitions, [&](const RepetitionFigures& figures) {
      return figures.counters[i].per_op.value_or(kNaN);
    });
    for (const RepetitionFigures& figures : row.repetitions) {
      counter.scaled = counter.scaled || figures.counters[i].scaled;
      if (counter.reason.empty()) counter.reason = figures.counters[i].reason;
    }
  }
}

void summarise(RowSummary& row) {
  const auto& repetitions = row.repetitions;
  using Figures = RepetitionFigures;
  row.operations_per_s_median =
      median_of(repetitions, [](const Figures& f) { return f.operations_per_s; });
  row.cpu_user_ns_per_op =
      median_of(repetitions, [](const Figures& f) { return f.cpu_user_ns_per_op; });
  row.cpu_system_ns_per_op =
      median_of(repetitions, [](const Figures& f) { return f.cpu_system_ns_per_op; });
  row.cpu_ns_per_op = median_of(
      repetitions, [](const Figures& f) { return f.cpu_user_ns_per_op + f.cpu_system_ns_per_op; });
  row.context_switches_per_op =
      median_of(repetitions, [](const Figures& f) { return f.context_switches_per_op; });
  row.fairness_jain = median_of(repetitions, [](const Figures& f) { return f.fairness_jain; });
  double operations = 0, failed = 0;
  for (const Figures& figures : repetitions) {
    operations += double(figures.operations);
    failed += double(figures.failed_operations);
  }
  row.failed_share = failed > 0 ? failed / operations : 0;
  row.profiled = std::ranges::any_of(repetitions, &Figures::profiled);
  row.blind_to_lock_waits = std::ranges::any_of(repetitions, &Figures::blind_to_lock_waits);
  row.aio_share = median_of(repetitions, [](const Figures& f) { return f.aio_share; });
  row.lock_wait_share = median_of(repetitions, [](const Figures& f) { return f.lock_wait_share; });
  row.harness_samples_share =
      median_of(repetitions, [](const Figures& f) { return f.harness_samples_share; });
  row.instrument_share =
      median_of(repetitions, [](const Figures& f) { return f.instrument_share; });
  summarise_system_calls(row);
  summarise_counters(row);
  summarise_split(row);
  for (const Figures& figures : repetitions) add_counts(row.counts, figures.counts);
  summarise_wait_percentiles(row);
  row.kernel_locks = sum_of_waits(row, &Figures::kernel_locks);
  row.futex_waits = sum_of_waits(row, &Figures::futex_waits);
  row.spread = kNaN;
  if (repetitions.size() > 1) {
    const auto [least, most] = std::ranges::minmax(repetitions, {}, &Figures::operations_per_s);
    row.spread = (most.operations_per_s - least.operations_per_s) / row.operations_per_s_median;
  }
}

double share_of(const std::optional<ProfileMeasurement>& profile, std::span<const LayerId> layers) {
  return profile ? profile->share_of(layers).value_or(kNaN) : kNaN;
}

void warn(RowSummary& row) {
  if (row.harness_share > kMostHarnessShare) {
    row.warnings.push_back(
        "over 10 % of its CPU time is the harness: compare differences rather than ratios, or "
        "raise "
        "--batch");
  }
  if (row.unsteady) {
    row.warnings.push_back("throughput drifts within the window: raise --warmup or --duration");
  }
}

}  // namespace

double median(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return kNaN;
  const std::size_t half = values.size() / 2;
  std::ranges::sort(values);
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string build_warning() {
  if (std::string_view(kBuildSanitizers).empty() && std::string_view(kBuildType) == "Release") {
    return {};
  }
  return fmt::format(
      "this is a {} build{}{}: its numbers must not be published; build the preset release",
      kBuildType, std::string_view(kBuildSanitizers).empty() ? "" : " with sanitizers ",
      kBuildSanitizers);
}

WaitsPerOperation per_operation(const std::optional<LockWaits>& waits) {
  if (!waits || !waits->traced()) return {kNaN, kNaN};
  const double operations = double(waits->operations);
  return {double(waits->contended()) / operations, double(waits->wait_ns()) / operations};
}

CountsPerOperation per_operation(const std::optional<DriverCountsMeasurement>& counts) {
  if (!counts) return {kNaN, kNaN, kNaN, kNaN, kNaN, kNaN};
  DriverCountsMeasurement::LockSite locks;
  for (const auto& site : counts->lock_sites) {
    locks.acquisitions += site.acquisitions;
    locks.contended += site.contended;
    locks.wait_ns += site.wait_ns;
  }
  const double operations = double(counts->operations);
  const auto per_op = [&](const std::optional<std::uint64_t>& count) {
    return count ? double(*count) / operations : kNaN;
  };
  return {per_op(locks.acquisitions), per_op(locks.contended),     per_op(locks.wait_ns),
          per_op(counts->shared_rmw), per_op(counts->allocations), per_op(counts->wakeups)};
}

Summary::Summary(std::vector<DescribedRow> rows, std::string baseline)
    : rows_(std::move(rows)),
      baseline_(std::move(baseline)),
      collected_(rows_.size()),
      unsteady_(rows_.size()) {}

void Summary::add(std::size_t row, std::uint32_t repetition, const Measurement& m) {
  RowSummary& summary = collected_.at(row);
  summary.repetitions.push_back(
      {.repetition = repetition,
       .operations = m.operations,
       .failed_operations = m.failed_operations,
       .operations_per_s = m.operations_per_s,
       .cpu_user_ns_per_op = m.cpu_user_ns_per_op,
       .cpu_system_ns_per_op = m.cpu_system_ns_per_op,
       .system_calls_per_op = m.system_calls_per_op,
       .system_calls_traced = m.system_calls_source == "tracepoint",
       .context_switches_per_op = m.context_switches_per_op,
       .fairness_jain = m.fairness_jain,
       .latency_p50_ns = supported_percentile_ns(m.latency, 0.50),
       .latency_p90_ns = supported_percentile_ns(m.latency, 0.90),
       .latency_p99_ns = supported_percentile_ns(m.latency, 0.99),
       .latency_p999_ns = supported_percentile_ns(m.latency, 0.999),
       .latency_max_ns = m.latency.count() > 0 ? double(m.latency.max_ns()) : kNaN,
       .counts = m.driver_counts,
       .counters = m.counters,
       .kernel_locks = m.kernel_locks,
       .futex_waits = m.futex_waits,
       .split = m.latency_split,
       .profiled = m.profile.has_value(),
       .blind_to_lock_waits = m.profile && m.profile->event == "cpu-clock" &&
                              !(m.kernel_locks && m.kernel_locks->traced()),
       .aio_share = share_of(m.profile, kAioLayers),
       .lock_wait_share = share_of(m.profile, kLockWaitLayers),
       .harness_samples_share = share_of(m.profile, kHarnessLayers),
       .instrument_share = share_of(m.profile, kInstrumentLayers)});
  summary.latency.merge(m.latency);
  summary.oversubscribed = m.oversubscribed;
  summary.setup = m.setup;
  if (!m.steady) ++unsteady_[row];
  for (const std::string& warning : m.warnings) {
    if (std::ranges::find(summary.warnings, warning) == summary.warnings.end()) {
      summary.warnings.push_back(warning);
    }
  }
}

void Summary::skip(std::size_t row, std::string reason, std::string cure) {
  collected_.at(row).skip_reason = std::move(reason);
  collected_.at(row).skip_cure = std::move(cure);
}

// NaN when there is no such row.
double Summary::ratio_to(const Row& other, std::size_t row,
                         const std::vector<RowSummary>& summaries) const {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (rows_[i].row == other && !rows_[i].price_only) {
      return summaries[row].operations_per_s_median / summaries[i].operations_per_s_median;
    }
  }
  return kNaN;
}

std::vector<RowSummary> Summary::rows() const {
  std::vector<RowSummary> summaries = collected_;
  for (RowSummary& summary : summaries) summarise(summary);
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    RowSummary& summary = summaries[i];
    const auto price = rows_[i].price_row;
    summary.harness_share = price ? summaries[*price].cpu_ns_per_op / summary.cpu_ns_per_op : kNaN;
    Row single = rows_[i].row;
    single.submitters = 1;
    summary.scaling = ratio_to(normalised(single), i, summaries);
    Row base = rows_[i].row;
    base.driver = baseline_;
    summary.vs_baseline = ratio_to(base, i, summaries);
    summary.unsteady =
        !summary.repetitions.empty() && 2 * unsteady_[i] >= summary.repetitions.size();
    warn(summary);
  }
  return summaries;
}

}  // namespace aioscope
