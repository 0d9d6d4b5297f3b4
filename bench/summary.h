// What the repetitions of each row say together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/measurement.h"
#include "bench/result.h"

namespace aioscope {

// The figures of one repetition that the outputs need; a few hundred bytes, without the histogram.
struct RepetitionFigures {
  std::uint32_t repetition = 0;
  std::uint64_t operations = 0;
  std::uint64_t failed_operations = 0;
  double operations_per_s = 0;
  double cpu_user_ns_per_op = 0;
  double cpu_system_ns_per_op = 0;
  double system_calls_per_op = 0;
  bool system_calls_traced = false;
  double context_switches_per_op = 0;
  double fairness_jain = 1;
  double latency_p50_ns = 0;  // NaN where unsupported, as the others
  double latency_p90_ns = 0;
  double latency_p99_ns = 0;
  double latency_p999_ns = 0;
  double latency_max_ns = 0;
  std::optional<DriverCountsMeasurement> counts;
  std::vector<CounterMeasurement> counters;
  std::optional<LockWaits> kernel_locks;
  std::optional<LockWaits> futex_waits;
  LatencySplit split;
  bool profiled = false;
  bool blind_to_lock_waits = false;  // in the kernel with interrupts off
  // Of the samples of the profile; NaN without a whole one.
  double aio_share = 0;  // in kAioLayers
  double lock_wait_share = 0;
  double harness_samples_share = 0;
  double instrument_share = 0;
};

// Of an operation; NaN where it was not traced.
struct WaitsPerOperation {
  double contended = 0;
  double wait_ns = 0;
};
WaitsPerOperation per_operation(const std::optional<LockWaits>& waits);

// Of an operation; NaN where the driver does not count it.
struct CountsPerOperation {
  double lock_acquisitions = 0;
  double lock_contended = 0;
  double lock_wait_ns = 0;
  double shared_rmw = 0;
  double allocations = 0;
  double wakeups = 0;
};
CountsPerOperation per_operation(const std::optional<DriverCountsMeasurement>& counts);

struct CounterSummary {
  std::string name;
  bool in_ns = false;
  double per_op = 0;    // median
  bool scaled = false;  // in any repetition
  std::string reason;   // why it is NaN in some repetition
};

// A figure that could not be had is NaN.
struct RowSummary {
  std::vector<RepetitionFigures> repetitions;
  std::string skip_reason;  // not empty: skipped, or failed
  std::string skip_cure;

  double operations_per_s_median = 0;
  double spread = 0;              // (max - min) / median of the throughput; NaN with one repetition
  double cpu_user_ns_per_op = 0;  // medians
  double cpu_system_ns_per_op = 0;
  double cpu_ns_per_op = 0;
  double system_calls_per_op = 0;  // of the traced repetitions, if there are any
  bool system_calls_traced = false;
  double context_switches_per_op = 0;
  double fairness_jain = 1;
  double failed_share = 0;   // of the operations of all repetitions
  LatencyHistogram latency;  // merged; percentiles come from it
  double harness_share = 0;  // CPU ns/op of its price row over its own
  double scaling = 0;        // median over that of the same row with one submitter
  double vs_baseline = 0;    // median over that of the same row with the baseline's driver
  std::vector<CounterSummary> counters;           // those asked for, in their order
  std::optional<DriverCountsMeasurement> counts;  // sums over the repetitions
  // Sums over the repetitions that were traced; percentiles are the medians of theirs.
  std::optional<LockWaits> kernel_locks;
  std::optional<LockWaits> futex_waits;
  LatencySplit split;  // medians; the calls of all repetitions
  bool profiled = false;
  bool blind_to_lock_waits = false;  // in the kernel with interrupts off
  double aio_share = 0;              // medians, of the samples of the profile
  double lock_wait_share = 0;
  double harness_samples_share = 0;
  double instrument_share = 0;

  bool oversubscribed = false;
  bool unsteady = false;  // in at least half of the repetitions
  std::string setup;
  std::vector<std::string> warnings;
};

// Takes measurements as they come. Memory grows with rows and repetitions, not with operations.
class Summary {
 public:
  // `baseline` is the full name of a driver, or empty for none.
  explicit Summary(std::vector<DescribedRow> rows, std::string baseline = {});

  void add(std::size_t row, std::uint32_t repetition, const Measurement& measurement);
  void skip(std::size_t row, std::string reason, std::string cure);

  // Medians, shares and warnings over what has come so far; one per row, in the order of the rows.
  std::vector<RowSummary> rows() const;
  const std::vector<DescribedRow>& described() const { return rows_; }
  const std::string& baseline() const { return baseline_; }

 private:
  double ratio_to(const Row& other, std::size_t row,
                  const std::vector<RowSummary>& summaries) const;

  std::vector<DescribedRow> rows_;
  std::string baseline_;
  std::vector<RowSummary> collected_;
  std::vector<std::uint32_t> unsteady_;  // repetitions, per row
};

// Of the middle two their mean; NaN of nothing. NaN values are left out.
double median(std::vector<double> values);

// Why numbers of this build must not be compared or published; "" when they may.
std::string build_warning();

}  // namespace aioscope
