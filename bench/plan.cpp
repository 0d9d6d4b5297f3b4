#include "bench/plan.h"

#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <utility>

#include "bench/driver_selection.h"
#include "bench/values.h"

namespace aioscope {
namespace {

constexpr std::string_view kPriceDriver = "null";
constexpr std::int64_t kSetupNs = 45'000'000;  // opening, counting system calls, draining: a rule
constexpr std::int64_t kShortestWindowNs = 50'000'000;

// A row's name is a line of tables and of other tools' files.
Target target_of(const std::string& text, const RunOptions& run) {
  Target target =
      text == "file" ? Target{.kind = FileKind::kFile, .path = run.file} : *parse_target(text);
  if (std::ranges::any_of(target.path, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    throw UsageError(
        "a target's name has a control character, such as a new line; rename the file");
  }
  return target;
}

// The product of the lists, in the order a table should show.
class Expansion {
 public:
  Expansion(const RowOptions& options, const RunOptions& run) : options_(options), run_(run) {}

  std::vector<PlannedRow> rows(const std::vector<const Driver*>& drivers) {
    for (const Workload workload : options_.workloads) {
      for (const std::string& target : options_.targets) {
        for (const Driver* driver : drivers) {
          row_.driver = driver->name;
          row_.workload = workload;
          row_.target = target_of(target, run_);
          threads(driver);
        }
      }
    }
    return std::move(rows_);
  }

 private:
  void threads(const Driver* driver) {
    for (const std::uint32_t contexts : options_.contexts) {
      for (const std::uint32_t reapers : options_.reapers) {
        for (const std::uint32_t submitters : options_.submitters) {
          row_.contexts = contexts;
          row_.reapers = reapers;
          row_.submitters = submitters;
          queue(driver);
        }
      }
    }
  }

  void queue(const Driver* driver) {
    for (const std::uint32_t depth : options_.depths) {
      for (const std::uint32_t batch : options_.batches) {
        for (const std::uint32_t reap_min : options_.reap_mins) {
          row_.depth = depth;
          row_.batch = batch;
          row_.reap_min = reap_min;
          operations(driver);
        }
      }
    }
  }

  void operations(const Driver* driver) {
    for (const Operation operation : options_.operations) {
      for (const std::uint32_t block_size : options_.block_sizes) {
        Row row = row_;
        row.operation = operation;
        row.block_size = block_size;
        row.read_percent = options_.read_percent;
        row.pattern = options_.pattern;
        row.buffered = options_.buffered;
        row.verify = options_.verify;
        row.rate_per_s = options_.rate_per_s;
        row.arrival = options_.arrival;
        row.latency = options_.latency;
        for (const Observe observe : options_.observe) {
          row.observe = observe;
          rows_.push_back(
              {.row = normalised(row), .driver = driver, .skip_reason = "", .skip_cure = ""});
        }
      }
    }
  }

  const RowOptions& options_;
  const RunOptions& run_;
  Row row_;
  std::vector<PlannedRow> rows_;
};

// A POSIX extended regular expression, matched anywhere in a name.
class Pattern {
 public:
  Pattern(const std::string& text, std::string_view option) {
    const int error = regcomp(&compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB);
    if (error == 0) return;
    char why[128];
    regerror(error, &compiled_, why, sizeof why);
    throw UsageError(fmt::format("--{}: '{}' is not a regular expression: {}", option, text, why));
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() { regfree(&compiled_); }

  bool matches(const std::string& name) const {
    return regexec(&compiled_, name.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_;
};

void filter(std::vector<PlannedRow>& rows, const RunOptions& run) {
  if (!run.only.empty()) {
    const Pattern only(run.only, "only");
    std::erase_if(rows, [&](const PlannedRow& one) { return !only.matches(one.row.name()); });
  }
  if (!run.skip.empty()) {
    const Pattern skip(run.skip, "skip");
    std::erase_if(rows, [&](const PlannedRow& one) { return skip.matches(one.row.name()); });
  }
  if (rows.empty()) {
    throw UsageError(
        "--only and --skip leave no rows; 'aioscope run --dry-run' prints the names of all");
  }
}

// A mistake of the user's rather than something that a driver or this machine lacks.
void check_verify(const std::vector<PlannedRow>& rows) {
  for (const PlannedRow& planned : rows) {
    const Row& row = planned.row;
    if (!row.verify || row.target.kind != FileKind::kDevice) continue;
    throw UsageError(fmt::format(
        "--verify: the target {} simulates times and keeps no data that could be verified; leave "
        "out --verify, or choose the target zero or file:PATH",
        row.target.text()));
  }
}

// A number of operations takes as long as it takes.
void check_operations(const std::vector<PlannedRow>& rows, const RunOptions& run) {
  if (run.operations == 0) return;
  const bool open_loop = std::ranges::any_of(
      rows, [](const PlannedRow& planned) { return planned.row.rate_per_s > 0; });
  if (!open_loop && run.time_budget_ns == 0) return;
  throw UsageError(fmt::format("--operations: not together with --{}; leave one out",
                               open_loop ? "rate" : "time-budget"));
}

void drop_duplicates(std::vector<PlannedRow>& rows) {
  std::vector<PlannedRow> unique;
  std::multimap<std::string, std::size_t> by_name;
  for (PlannedRow& planned : rows) {
    const std::string name = planned.row.name();
    const auto [begin, end] = by_name.equal_range(name);
    const bool repeated = std::any_of(
        begin, end, [&](const auto& entry) { return unique[entry.second].row == planned.row; });
    if (repeated) continue;
    if (begin != end) {
      const Row& other = unique[begin->second].row;
      throw UsageError(
          fmt::format("two different rows are named {}{}", name,
                      other.target == planned.row.target
                          ? "; leave one out"
                          : fmt::format(" ({} and {}); give the files different names",
                                        other.target.text(), planned.row.target.text())));
    }
    by_name.emplace(name, unique.size());
    unique.push_back(std::move(planned));
  }
  rows = std::move(unique);
}

// A row that an instrument alone looks at needs it.
void check_instruments(const std::vector<PlannedRow>& rows, const RunOptions& run) {
  const auto used = instruments_of(run);
  for (const PlannedRow& planned : rows) {
    const Observe observe = planned.row.observe;
    if (observe == Observe::kAsked || observe == Observe::kOff) continue;
    if (std::ranges::find(used, observe, &InstrumentUse::instrument) != used.end()) continue;
    throw UsageError(fmt::format("--observe {0}: it is not switched on; add --{0}{1}",
                                 observe_name(observe),
                                 observe == Observe::kCounters ? " default" : ""));
  }
}

OpcodeSet opcodes_of(Operation operation) {
  switch (operation) {
    case Operation::kRead:
      return opcode_bit(Opcode::kRead);
    case Operation::kWrite:
      return opcode_bit(Opcode::kWrite);
    case Operation::kMixed:
      return kReadWrite;
    case Operation::kNop:
      return opcode_bit(Opcode::kNop);
  }
  return 0;
}

// Threads of one kind that use the same context at the same time.
std::uint32_t sharing(const Row& row, std::uint32_t threads) {
  if (row.workload == Workload::kShared) return threads;
  if (row.workload == Workload::kGrouped) return (threads + row.contexts - 1) / row.contexts;
  return 1;
}

std::string count_text(std::uint32_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

void skip(PlannedRow& planned, std::string reason, std::string cure) {
  planned.skip_reason = std::move(reason);
  planned.skip_cure = std::move(cure);
}

// Whether the row, on any machine, asks for what it or its driver cannot do.
void check_shape(PlannedRow& planned) {
  const Row& row = planned.row;
  const Capabilities& can = planned.driver->capabilities;
  const std::string_view name = planned.driver->name;
  if (row.target.kind == FileKind::kFile && row.target.path.empty()) {
    return skip(planned, "no file is named", "add --file PATH (and --create 256M to make it)");
  }
  if ((opcodes_of(row.operation) & ~can.opcodes) != 0) {
    return skip(planned, fmt::format("{} cannot {}", name, operation_name(row.operation)),
                "choose another --operation or --driver; 'aioscope list drivers' says which can");
  }
  if ((can.files & file_kind_bit(row.target.kind)) == 0) {
    return skip(planned, fmt::format("{} cannot use the target {}", name, row.target.label()),
                "choose another --target or --driver; 'aioscope list drivers' says which can");
  }
  if (row.verify && !can.transfers_data) {
    return skip(planned, fmt::format("{} transfers no data that could be verified", name),
                "leave out --verify");
  }
  if (sharing(row, row.submitters) > can.max_submitters) {
    return skip(planned,
                fmt::format("a context of {} takes {} at most", name,
                            count_text(can.max_submitters, "submitter")),
                "lower --submitters or use the workload per-thread");
  }
  if (sharing(row, std::max(row.reapers, 1u)) > can.max_reapers) {
    return skip(planned,
                fmt::format("a context of {} takes {} at most", name,
                            count_text(can.max_reapers, "reaper")),
                "lower --reapers or use the workload per-thread");
  }
}

void check_availability(std::vector<PlannedRow>& rows, const Probe& probe) {
  std::map<const Driver*, Availability> probed;
  for (PlannedRow& planned : rows) {
    if (!planned.runs()) continue;
    auto found = probed.find(planned.driver);
    if (found == probed.end()) {
      found = probed.emplace(planned.driver, probe(*planned.driver)).first;
    }
    const Availability& availability = found->second;
    if (!availability.usable) skip(planned, availability.reason, availability.cure);
  }
}

Row with_resolved_latency(Row row) {
  row.latency = row.resolved_latency();
  return row;
}

void add_harness_prices(std::vector<PlannedRow>& rows, const Driver* price_driver) {
  const std::size_t asked_for = rows.size();
  for (std::size_t i = 0; i < asked_for; ++i) {
    if (!rows[i].runs() || rows[i].driver == price_driver) continue;
    const Row price = price_row_of(rows[i].row);
    const auto same = std::ranges::find_if(rows, [&](const PlannedRow& planned) {
      return planned.runs() && with_resolved_latency(planned.row) == price;
    });
    rows[i].price_row = std::size_t(same - rows.begin());
    if (same != rows.end()) continue;
    rows.push_back({.row = price,
                    .driver = price_driver,
                    .skip_reason = "",
                    .skip_cure = "",
                    .price_only = true});
  }
}

void divide_time(Plan& plan, const RunOptions& run) {
  plan.operations = run.operations;
  if (plan.operations > 0) return;
  plan.warmup_ns = run.warmup_ns;
  plan.window_ns = run.duration_ns;
  if (run.time_budget_ns == 0 || plan.order.empty()) return;
  const auto items = static_cast<std::int64_t>(plan.order.size());
  const std::int64_t share = run.time_budget_ns / items - kSetupNs;
  plan.warmup_ns = std::min(run.warmup_ns, std::max<std::int64_t>(share, 0) / 5);
  plan.window_ns = share - plan.warmup_ns;
  if (plan.window_ns >= kShortestWindowNs) return;
  const std::int64_t least_share =
      kShortestWindowNs + std::min(run.warmup_ns, kShortestWindowNs / 4);
  const double least_s = std::ceil(double(items * (least_share + kSetupNs)) / 1e8) / 10;
  throw UsageError(
      fmt::format("--time-budget: {} is too little for {} repetitions ({} rows); the smallest is "
                  "{:.1f}s; or lower --repetitions, or choose rows with --only",
                  duration_text(run.time_budget_ns), items, items / plan.repetitions, least_s));
}

// Uniform in [0, bound), the same on every platform, which std::uniform_int_distribution is not.
std::uint64_t below(std::mt19937_64& random, std::uint64_t bound) {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = random();
  while (value >= limit) value = random();
  return value % bound;
}

std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t(device()) << 32 | device()) >> 11;  // exact in JSON readers with doubles
}

const Driver& one_driver(DriverSelection& selection, const std::string& name) {
  const auto drivers = selection.select({&name, 1});
  if (drivers.size() == 1) return *drivers.front();
  throw UsageError(fmt::format("--baseline: '{}' is {} drivers; name one", name, drivers.size()));
}

}  // namespace

std::vector<Counter> counters_of(const RunOptions& run) {
  std::vector<Counter> counters = find_counters(run.counters);
  for (const Counter& counter : counters) {
    if (counter.known) continue;
    throw UsageError(fmt::format("--counters: {}: {}", counter.name, counter.refusal.text()));
  }
  return counters;
}

Row normalised(Row row) {
  const Row defaults;
  switch (row.workload) {
    case Workload::kShared:
      row.contexts = 1;
      break;
    case Workload::kPerThread:
    case Workload::kAggregate:
      row.reapers = 0;
      row.contexts = row.submitters;
      break;
    case Workload::kGrouped:
      break;
  }
  row.batch = std::min(row.batch, row.depth);
  row.reap_min = std::min(row.reap_min, row.batch);
  if (row.operation != Operation::kMixed) row.read_percent = defaults.read_percent;
  if (row.operation == Operation::kNop) {
    row.block_size = defaults.block_size;
    row.verify = false;
  }
  if (row.target.kind != FileKind::kFile || row.operation == Operation::kNop) {
    row.pattern = defaults.pattern;
    row.buffered = false;
  }
  if (row.rate_per_s == 0) row.arrival = defaults.arrival;
  return row;
}

Row price_row_of(const Row& row) {
  Row price = row;
  price.driver = kPriceDriver;
  price.target = Target{};
  price.verify = false;
  price.rate_per_s = 0;  // at a given rate the harness would be idle, not cheap
  price.latency = row.resolved_latency();
  return normalised(price);
}

std::vector<PlanItem> balanced_random_order(const std::vector<std::size_t>& rows,
                                            std::uint32_t repetitions, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<PlanItem> order;
  for (std::uint32_t repetition = 0; repetition < repetitions; ++repetition) {
    std::vector<std::size_t> round = rows;
    for (std::size_t i = round.size(); i > 1; --i) {
      std::swap(round[i - 1], round[below(random, i)]);
    }
    for (const std::size_t row : round) order.push_back({row, repetition});
  }
  return order;
}

std::int64_t Plan::item_ns() const { return warmup_ns + window_ns + kSetupNs; }

Plan make_plan(const RunRequest& request, Registry& registry, const Probe& probe) {
  Plan plan;
  DriverSelection selection(registry);
  if (!request.run.baseline.empty()) {
    plan.baseline = one_driver(selection, request.run.baseline).name;
  }
  for (const RowOptions& part : request.parts) {
    const auto drivers = selection.select(part.drivers);
    auto rows = Expansion(part, request.run).rows(drivers);
    std::ranges::move(rows, std::back_inserter(plan.rows));
  }
  filter(plan.rows, request.run);
  check_verify(plan.rows);
  check_operations(plan.rows, request.run);
  drop_duplicates(plan.rows);
  check_instruments(plan.rows, request.run);
  for (PlannedRow& planned : plan.rows) check_shape(planned);
  check_availability(plan.rows, probe);
  if (!request.run.no_harness_price) add_harness_prices(plan.rows, registry.find(kPriceDriver));

  std::vector<std::size_t> running;
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    if (plan.rows[i].runs()) running.push_back(i);
  }
  plan.seed = request.run.seed.value_or(fresh_seed());
  plan.repetitions = request.run.repetitions;
  plan.order = balanced_random_order(running, plan.repetitions, plan.seed);
  divide_time(plan, request.run);
  return plan;
}

}  // namespace aioscope
