// What `run` can be told: the options of the command line, which are also the keys of suite files.
//
// One table describes them all, so that the two cannot differ.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/placement.h"
#include "bench/row.h"
#include "bench/values.h"
#include "bench/workload/injection.h"

namespace aioscope {

// The rows of a plan are the product of these lists.
struct RowOptions {
  std::vector<std::string> drivers{
      "all"};  // names, globs, all, all-variants, paths of shared objects
  std::vector<Workload> workloads{Workload::kPerThread};
  std::vector<std::string> targets{"null"};  // "file" stands for RunOptions::file
  std::vector<std::uint32_t> submitters{1};
  std::vector<std::uint32_t> reapers{1};
  std::vector<std::uint32_t> contexts{1};
  std::vector<std::uint32_t> depths{128};
  std::vector<std::uint32_t> batches{32};
  std::vector<std::uint32_t> reap_mins{1};
  std::vector<std::uint32_t> block_sizes{512};  // bytes
  std::vector<Operation> operations{Operation::kRead};
  std::uint32_t read_percent = 50;
  AccessPattern pattern = AccessPattern::kRandom;
  bool buffered = false;
  bool verify = false;
  double rate_per_s = 0;
  Arrival arrival = Arrival::kConstant;
  LatencyMode latency = LatencyMode::kAuto;
  std::vector<Observe> observe{Observe::kAsked};
};

enum class Format { kTable, kNdjson, kCsv, kGbench };

struct RunOptions {
  RowOptions rows;
  std::string file;                // what the target "file" stands for
  std::uint64_t create_bytes = 0;  // of files that are missing; 0: do not make any
  Pinning pin;
  std::int64_t warmup_ns = 200'000'000;
  std::int64_t duration_ns = 1'000'000'000;
  std::uint64_t operations = 0;     // of each submitter, in place of warm-up and duration; 0: none
  std::int64_t time_budget_ns = 0;  // 0: none, duration_ns says
  std::uint32_t repetitions = 5;
  std::optional<std::uint64_t> seed;
  std::string only;  // regular expressions on row names; empty: all
  std::string skip;  // empty: none
  std::int64_t watchdog_ns = 10'000'000'000;
  Injection injection;
  std::string inject;  // as it was given; empty: none
  bool no_harness_price = false;
  bool no_tracepoints = false;
  std::string baseline;               // the driver that the table compares with; empty: none
  bool locks = false;                 // show what drivers count of themselves
  std::vector<std::string> counters;  // by name, "default" for several
  bool counters_best_effort = false;
  bool split = false;            // show who pays for an operation
  std::uint32_t profile_hz = 0;  // stacks sampled per second and thread; 0: none
  std::string layers;            // file of rules put before the built-in ones; empty: none
  // Of the command line alone:
  std::string suite;
  bool allow_destructive = false;
  bool dry_run = false;
  bool quiet = false;
  std::string output;  // result file; empty: none
  Format format = Format::kTable;
};

// The instruments that `run` switches on, each with what it is told: "default".
struct InstrumentUse {
  Observe instrument = Observe::kCounters;
  std::string with;
};
std::vector<InstrumentUse> instruments_of(const RunOptions& run);

// Where an option may stand.
enum class Place {
  kRow,      // anywhere: command line, top of a suite, a [[part]] of a suite
  kRun,      // command line, top of a suite
  kCommand,  // command line
};

struct RunOptionSpec {
  std::string_view name;   // "submitters": --submitters, and the key of a suite
  std::string_view value;  // how the help calls its value; empty: a flag
  std::string_view help;
  std::string_view group;
  Place place;
  bool list;  // several values; repeated on the command line they add up
  // Throws UsageError, without the option's name. `values` are the occurrences, not yet split.
  void (*apply)(RunOptions& options, std::span<const std::string> values);
};
std::span<const RunOptionSpec> run_option_specs();
// nullptr when there is none.
const RunOptionSpec* find_run_option(std::string_view name);

// One option with its values, as a suite or the command line gives it.
struct Assignment {
  const RunOptionSpec* option = nullptr;
  std::vector<std::string> values;
  std::string where;  // for messages: "--depth", "suite.toml:3: depth"
};
// Throws UsageError beginning with Assignment::where.
void apply_all(RunOptions& options, std::span<const Assignment> assignments);

// "null", "zero", "file", "file:PATH", "device:SPEC" from values that may hold several, separated
// by commas; a comma within a path or a specification stays in it. Throws UsageError.
std::vector<std::string> split_targets(std::span<const std::string> values);

}  // namespace aioscope
