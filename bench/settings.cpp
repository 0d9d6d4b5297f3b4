#include "bench/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "bench/suggest.h"
#include "drivers/device_spec.h"

namespace aioscope {
namespace {

using Values = std::span<const std::string>;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000 * kMs;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kWeek = 7 * kDay;

constexpr Limits kThreads{.low = 1, .high = 1024};
constexpr Limits kOperations{.low = 1, .high = 1ull << 40};
constexpr Limits kDepths{.low = 1, .high = 65'536};
constexpr Limits kBatches{.low = 1, .high = 4096};
constexpr Limits kBlockSizes{.low = 1, .high = 16u << 20, .suffix = Suffix::kBytes};
constexpr std::uint32_t kProfileHz = 999;  // not in step with anything that ticks at 1000
constexpr Limits kProfileRates{.low = 1, .high = 20'000};
constexpr Limits kFileSizes{.low = 4096, .high = 1ull << 44, .suffix = Suffix::kBytes};

std::vector<std::uint32_t> numbers(Values values, const Limits& limits) {
  return parse_numbers(values, limits, static_cast<std::uint32_t>(affinity_mask().size()));
}

template <typename Enum, std::size_t size>
Enum one_of(std::string_view text, std::optional<Enum> (*parse)(std::string_view),
            std::string_view what, const std::array<std::string, size>& known) {
  if (const auto value = parse(text)) return *value;
  throw UsageError(fmt::format("unknown {} '{}'{}", what, text, suggestion(text, known)));
}

Workload workload_of(std::string_view text) {
  return one_of<Workload, 4>(text, parse_workload, "workload",
                             {"shared", "per-thread", "aggregate", "grouped"});
}
Operation operation_of(std::string_view text) {
  return one_of<Operation, 4>(text, parse_operation, "operation",
                              {"read", "write", "mixed", "nop"});
}

Observe observe_of(std::string_view text) {
  return one_of<Observe, 5>(text, parse_observe, "instrument",
                            {"asked", "off", "counters", "profile", "locks"});
}

Format format_of(std::string_view text) {
  if (text == "table") return Format::kTable;
  if (text == "ndjson") return Format::kNdjson;
  if (text == "csv") return Format::kCsv;
  if (text == "gbench") return Format::kGbench;
  const std::array<std::string, 4> known{"table", "ndjson", "csv", "gbench"};
  throw UsageError(fmt::format("unknown format '{}'{}", text, suggestion(text, known)));
}

Pinning pinning_of(const std::string& text) {
  if (auto pinning = parse_pinning(text)) return *pinning;
  throw UsageError(
      fmt::format("'{}' is none of none, compact, spread and a list of CPUs such as 0,2-3", text));
}

std::uint32_t profile_hz_of(const std::string& text) {
  if (text == "true" || text.empty()) return kProfileHz;
  if (text == "false") return 0;
  return std::uint32_t(parse_number(text, kProfileRates));
}

Injection injection_of(const std::string& text) {
  Injection injection;
  for (const std::string& part : split_list({&text, 1})) {
    const std::size_t sign = part.find('=');
    const std::string key = part.substr(0, sign);
    const std::string value = sign == part.npos ? "" : part.substr(sign + 1);
    const auto count = [&] { return std::uint32_t(parse_number(value, {.low = 1, .high = 1000})); };
    if (key == "delay") {
      injection.delay_ns = parse_duration(value, 1, kSecond);
    } else if (key == "lock") {
      injection.locks = count();
    } else if (key == "syscall") {
      injection.calls = count();
    } else if (key == "syscall-per-op") {
      injection.calls_per_operation = count();
    } else {
      const std::array<std::string, 4> known{"delay", "lock", "syscall", "syscall-per-op"};
      throw UsageError(
          fmt::format("'{}' is none of delay=TIME, lock=N, syscall=N, syscall-per-op=N{}", part,
                      suggestion(key, known)));
    }
  }
  return injection;
}

template <typename Enum>
std::vector<Enum> each(Values values, Enum (*parse)(std::string_view)) {
  std::vector<Enum> parsed;
  for (const std::string& item : split_list(values)) parsed.push_back(parse(item));
  return parsed;
}

constexpr std::string_view kWhat = "What is measured";
constexpr std::string_view kShape = "Shape of the load (LIST: 1,2,4 or 1..8 or 1..256*2 or cpus)";
constexpr std::string_view kIo = "I/O";
constexpr std::string_view kHow = "How it is measured";
constexpr std::string_view kWhere = "Where results go";

constexpr RunOptionSpec kSpecs[] = {
    {"suite", "NAME", "A built-in suite (see 'aioscope list suites') or a TOML file", kWhat,
     Place::kCommand, false, [](RunOptions& o, Values v) { o.suite = v[0]; }},
    {"driver", "LIST", "Names, driver@variant, 'io_uring@*', all, all-variants, ./own.so", kWhat,
     Place::kRow, true, [](RunOptions& o, Values v) { o.rows.drivers = split_list(v); }},
    {"workload", "LIST", "shared, per-thread, aggregate, grouped", kWhat, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.workloads = each(v, workload_of); }},
    {"target", "LIST", "null, zero, file:PATH, device:SPEC, or file for the one of --file", kWhat,
     Place::kRow, true, [](RunOptions& o, Values v) { o.rows.targets = split_targets(v); }},
    {"file", "PATH", "What the target 'file' stands for", kWhat, Place::kRun, false,
     [](RunOptions& o, Values v) { o.file = v[0]; }},
    {"create", "SIZE", "Make target files that are missing, of this size", kWhat, Place::kRun,
     false, [](RunOptions& o, Values v) { o.create_bytes = parse_number(v[0], kFileSizes); }},
    {"only", "REGEX", "Only rows whose name matches", kWhat, Place::kRun, false,
     [](RunOptions& o, Values v) { o.only = v[0]; }},
    {"skip", "REGEX", "Not the rows whose name matches", kWhat, Place::kRun, false,
     [](RunOptions& o, Values v) { o.skip = v[0]; }},

    {"submitters", "LIST", "Threads that submit", kShape, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.submitters = numbers(v, kThreads); }},
    {"reapers", "LIST", "Threads that reap (shared, grouped)", kShape, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.reapers = numbers(v, kThreads); }},
    {"contexts", "LIST", "Contexts (grouped)", kShape, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.contexts = numbers(v, kThreads); }},
    {"depth", "LIST", "Requests in flight per submitter", kShape, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.depths = numbers(v, kDepths); }},
    {"batch", "LIST", "Most requests per submit and per reap; at most the depth", kShape,
     Place::kRow, true, [](RunOptions& o, Values v) { o.rows.batches = numbers(v, kBatches); }},
    {"reap-min", "LIST", "Completions a reap waits for; at most the batch", kShape, Place::kRow,
     true, [](RunOptions& o, Values v) { o.rows.reap_mins = numbers(v, kBatches); }},
    {"rate", "N", "Open loop: operations per second over all submitters; 0 for closed loop", kShape,
     Place::kRow, false,
     [](RunOptions& o, Values v) { o.rows.rate_per_s = parse_real(v[0], 0, 1e9); }},
    {"arrival", "NAME", "Of the open loop: constant, poisson", kShape, Place::kRow, false,
     [](RunOptions& o, Values v) {
       o.rows.arrival = one_of<Arrival, 2>(v[0], parse_arrival, "arrival", {"constant", "poisson"});
     }},

    {"operation", "LIST", "read, write, mixed, nop", kIo, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.operations = each(v, operation_of); }},
    {"read-percent", "N", "Reads among the operations of 'mixed'", kIo, Place::kRow, false,
     [](RunOptions& o, Values v) {
       o.rows.read_percent = std::uint32_t(parse_number(v[0], {.low = 0, .high = 100}));
     }},
    {"block-size", "LIST", "Bytes per operation: 512, 4k, 512..64k*2", kIo, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.block_sizes = numbers(v, kBlockSizes); }},
    {"pattern", "NAME", "Offsets in a file: random, sequential", kIo, Place::kRow, false,
     [](RunOptions& o, Values v) {
       o.rows.pattern = one_of<AccessPattern, 2>(v[0], parse_access_pattern, "pattern",
                                                 {"random", "sequential"});
     }},
    {"buffered", "", "Files through the page cache, without O_DIRECT", kIo, Place::kRow, false,
     [](RunOptions& o, Values v) { o.rows.buffered = parse_bool(v[0]); }},
    {"verify", "", "Write a pattern into every block and check what is read", kIo, Place::kRow,
     false, [](RunOptions& o, Values v) { o.rows.verify = parse_bool(v[0]); }},
    {"allow-destructive", "", "Write to block devices and to files aioscope did not make", kIo,
     Place::kCommand, false,
     [](RunOptions& o, Values v) { o.allow_destructive = parse_bool(v[0]); }},

    {"repetitions", "N", "Of every row, interleaved in random order", kHow, Place::kRun, false,
     [](RunOptions& o, Values v) {
       o.repetitions = std::uint32_t(parse_number(v[0], {.low = 1, .high = 1000}));
     }},
    {"duration", "TIME", "Measured time of a repetition: 300ms, 2s, 1m", kHow, Place::kRun, false,
     [](RunOptions& o, Values v) { o.duration_ns = parse_duration(v[0], 10 * kMs, kDay); }},
    {"warmup", "TIME", "Before it, not measured", kHow, Place::kRun, false,
     [](RunOptions& o, Values v) { o.warmup_ns = parse_duration(v[0], 0, kHour); }},
    {"operations", "N", "So many of each submitter, in place of warm-up and duration", kHow,
     Place::kRun, false,
     [](RunOptions& o, Values v) { o.operations = parse_number(v[0], kOperations); }},
    {"time-budget", "TIME", "For the whole run; divided over rows and repetitions", kHow,
     Place::kRun, false,
     [](RunOptions& o, Values v) { o.time_budget_ns = parse_duration(v[0], 100 * kMs, kWeek); }},
    {"latency", "NAME", "Time stamps: auto, full, sampled, off", kHow, Place::kRow, false,
     [](RunOptions& o, Values v) {
       o.rows.latency = one_of<LatencyMode, 4>(v[0], parse_latency_mode, "latency mode",
                                               {"auto", "full", "sampled", "off"});
     }},
    {"pin", "NAME", "CPUs of the threads: none, compact, spread, or a list such as 0,2-3", kHow,
     Place::kRun, false, [](RunOptions& o, Values v) { o.pin = pinning_of(v[0]); }},
    {"seed", "N", "Of the order, offsets and arrivals; without it a new one, recorded", kHow,
     Place::kRun, false, [](RunOptions& o, Values v) { o.seed = parse_number(v[0], {}); }},
    {"watchdog", "TIME", "No completion for so long: the driver hangs", kHow, Place::kRun, false,
     [](RunOptions& o, Values v) { o.watchdog_ns = parse_duration(v[0], kSecond, kHour); }},
    {"no-harness-price", "", "Leave out the rows of driver null that price the harness", kHow,
     Place::kRun, false, [](RunOptions& o, Values v) { o.no_harness_price = parse_bool(v[0]); }},
    {"no-tracepoints", "", "Let the drivers count system calls, not the kernel", kHow, Place::kRun,
     false, [](RunOptions& o, Values v) { o.no_tracepoints = parse_bool(v[0]); }},
    {"baseline", "NAME", "Driver that the table compares each row with", kHow, Place::kRun, false,
     [](RunOptions& o, Values v) { o.baseline = v[0]; }},
    {"locks", "", "Also tables of waits for locks in driver and kernel, of shared writes", kHow,
     Place::kRun, false, [](RunOptions& o, Values v) { o.locks = parse_bool(v[0]); }},
    {"counters", "LIST", "Of each thread: default, cycles:u, lock:contention_begin...", kHow,
     Place::kRun, true, [](RunOptions& o, Values v) { o.counters = split_list(v); }},
    {"counters-best-effort", "", "Go on without the counters that cannot be had", kHow, Place::kRun,
     false, [](RunOptions& o, Values v) { o.counters_best_effort = parse_bool(v[0]); }},
    {"observe", "LIST", "Rows looked at by: asked (all that is on), off, counters, profile, locks",
     kHow, Place::kRow, true,
     [](RunOptions& o, Values v) { o.rows.observe = each(v, observe_of); }},
    {"split", "", "Also a table of the time in submit calls, in flight and in reap calls", kHow,
     Place::kRun, false, [](RunOptions& o, Values v) { o.split = parse_bool(v[0]); }},
    {"profile", "[HZ]", "Sample stacks so often, without HZ 999 times a second: shares of layers",
     kHow, Place::kRun, false, [](RunOptions& o, Values v) { o.profile_hz = profile_hz_of(v[0]); }},
    {"layers", "FILE", "Rules that tell the layers, before those of 'list layers'", kHow,
     Place::kRun, false, [](RunOptions& o, Values v) { o.layers = v[0]; }},
    {"inject", "LIST", "Slow drivers down: delay=20ns,lock=2 per operation, syscall=1 per submit",
     kHow, Place::kRun, true,
     [](RunOptions& o, Values v) {
       o.inject = fmt::format("{}", fmt::join(v, ","));
       o.injection = injection_of(o.inject);
     }},
    {"dry-run", "", "Print the rows and how long they take, and stop", kHow, Place::kCommand, false,
     [](RunOptions& o, Values v) { o.dry_run = parse_bool(v[0]); }},

    {"output", "FILE", "Result file (JSON Lines)", kWhere, Place::kCommand, false,
     [](RunOptions& o, Values v) { o.output = v[0]; }},
    {"format", "NAME", "Of standard output: table, ndjson, csv, gbench", kWhere, Place::kCommand,
     false, [](RunOptions& o, Values v) { o.format = format_of(v[0]); }},
    {"quiet", "", "No progress on standard error", kWhere, Place::kCommand, false,
     [](RunOptions& o, Values v) { o.quiet = parse_bool(v[0]); }},
};

// Whether `item` begins a target of its own rather than going on with a path.
bool begins_target(std::string_view item) {
  return item == "file" || parse_target(item).has_value();
}

// Throws UsageError for a simulated device that is none.
void check_device(const std::string& target) {
  const auto parsed = parse_target(target);
  if (!parsed || parsed->kind != FileKind::kDevice) return;
  try {
    parse_device_spec(parsed->spec);
  } catch (const DeviceSpecError& error) {
    const std::string& key = error.unknown_key();
    if (key.empty()) throw UsageError(error.what());
    const auto keys = device_spec_keys();
    const std::vector<std::string> known(keys.begin(), keys.end());
    throw UsageError(fmt::format("device: unknown key '{}'{}", key, suggestion(key, known)));
  }
}

}  // namespace

std::vector<InstrumentUse> instruments_of(const RunOptions& run) {
  std::vector<InstrumentUse> used;
  if (!run.counters.empty()) {
    used.push_back({Observe::kCounters, fmt::format("{}", fmt::join(run.counters, ","))});
  }
  if (run.profile_hz > 0) {
    used.push_back({Observe::kProfile, fmt::format("{} Hz", run.profile_hz)});
  }
  if (run.locks) used.push_back({Observe::kLocks, ""});
  return used;
}

std::span<const RunOptionSpec> run_option_specs() { return kSpecs; }

const RunOptionSpec* find_run_option(std::string_view name) {
  const auto* spec = std::ranges::find(kSpecs, name, &RunOptionSpec::name);
  return spec == std::end(kSpecs) ? nullptr : spec;
}

void apply_all(RunOptions& options, std::span<const Assignment> assignments) {
  for (const Assignment& assignment : assignments) {
    try {
      assignment.option->apply(options, assignment.values);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}: {}", assignment.where, error.what()));
    }
  }
}

std::vector<std::string> split_targets(std::span<const std::string> values) {
  std::vector<std::string> targets;
  for (const std::string& value : values) {
    bool may_go_on = false;  // the last target of this value ends in a path or specification
    for (const std::string& item : split_list({&value, 1})) {
      if (begins_target(item)) {
        targets.push_back(item);
        may_go_on = item.find(':') != std::string::npos;
      } else if (may_go_on) {
        targets.back() += "," + item;
      } else {
        const std::array<std::string, 5> known{"null", "zero", "file", "file:PATH", "device:SPEC"};
        throw UsageError(fmt::format("unknown target '{}'{}", item, suggestion(item, known)));
      }
    }
  }
  std::ranges::for_each(targets, check_device);
  return targets;
}

}  // namespace aioscope
