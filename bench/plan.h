// The plan: which rows are measured, in which order, for how long.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/measure/perf/counter.h"
#include "bench/row.h"
#include "bench/suite.h"
#include "drivers/driver.h"
#include "drivers/registry.h"

namespace aioscope {

struct PlannedRow {
  Row row;
  const Driver* driver = nullptr;
  std::string skip_reason;  // empty: the row runs
  std::string skip_cure;
  bool price_only = false;               // not asked for: it prices the harness for other rows
  std::optional<std::size_t> price_row;  // index of the row that prices the harness for this one

  bool runs() const { return skip_reason.empty(); }
};

// One repetition of one row.
struct PlanItem {
  std::size_t row = 0;  // index into Plan::rows
  std::uint32_t repetition = 0;
};

struct Plan {
  std::vector<PlannedRow> rows;
  std::vector<PlanItem> order;
  std::uint32_t repetitions = 1;
  std::uint64_t seed = 0;
  std::int64_t warmup_ns = 0;
  std::int64_t window_ns = 0;
  std::uint64_t operations = 0;   // of each submitter, in place of both; 0: by time
  std::vector<Counter> counters;  // of each measured thread; see counters_of()
  std::string baseline;  // full name of the driver that rows are compared with; empty: none

  // Estimated, with setting up and draining: of one item, of all.
  std::int64_t item_ns() const;
  std::int64_t duration_ns() const { return std::int64_t(order.size()) * item_ns(); }
};

using Probe = std::function<Availability(const Driver&)>;

// Expands, normalises and orders. `probe` is called once per driver. External drivers are loaded
// into `registry`, which must outlive the plan. Throws UsageError: unknown driver or target, rows
// that differ and have one name, nothing left to measure, a time budget that is too small.
Plan make_plan(const RunRequest& request, Registry& registry, const Probe& probe);

// The counters that the options name, tried on the calling thread. Throws UsageError for a name
// that means nothing.
std::vector<Counter> counters_of(const RunOptions& run);

// Fields that the row's workload, operation or target leave without a meaning get their defaults,
// and batch and reap_min come down to what can be, so that equal measurements are equal rows.
Row normalised(Row row);

// What of this row measures the harness alone: the same shape on driver `null`, target null.
Row price_row_of(const Row& row);

// Every row once per round, each round in a fresh order that follows from `seed` on every platform.
std::vector<PlanItem> balanced_random_order(const std::vector<std::size_t>& rows,
                                            std::uint32_t repetitions, std::uint64_t seed);

}  // namespace aioscope
