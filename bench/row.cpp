#include "bench/row.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <utility>

namespace aioscope {
namespace {

template <typename Enum, std::size_t size>
using Names = std::array<std::pair<Enum, std::string_view>, size>;

constexpr Names<Workload, 4> kWorkloads{{{Workload::kShared, "shared"},
                                         {Workload::kPerThread, "per-thread"},
                                         {Workload::kAggregate, "aggregate"},
                                         {Workload::kGrouped, "grouped"}}};
constexpr Names<Operation, 4> kOperations{{{Operation::kRead, "read"},
                                           {Operation::kWrite, "write"},
                                           {Operation::kMixed, "mixed"},
                                           {Operation::kNop, "nop"}}};
constexpr Names<Arrival, 2> kArrivals{
    {{Arrival::kConstant, "constant"}, {Arrival::kPoisson, "poisson"}}};
constexpr Names<AccessPattern, 2> kPatterns{
    {{AccessPattern::kRandom, "random"}, {AccessPattern::kSequential, "sequential"}}};
constexpr Names<LatencyMode, 4> kLatencyModes{{{LatencyMode::kAuto, "auto"},
                                               {LatencyMode::kFull, "full"},
                                               {LatencyMode::kSampled, "sampled"},
                                               {LatencyMode::kOff, "off"}}};

constexpr Names<Observe, 5> kObserve{{{Observe::kAsked, "asked"},
                                      {Observe::kOff, "off"},
                                      {Observe::kCounters, "counters"},
                                      {Observe::kProfile, "profile"},
                                      {Observe::kLocks, "locks"}}};

template <typename Enum, std::size_t size>
std::string_view name_of(const Names<Enum, size>& names, Enum value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "?";
}

template <typename Enum, std::size_t size>
std::optional<Enum> value_of(const Names<Enum, size>& names, std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  return std::nullopt;
}

constexpr std::string_view kFilePrefix = "file:";
constexpr std::string_view kDevicePrefix = "device:";

}  // namespace

std::string_view workload_name(Workload workload) { return name_of(kWorkloads, workload); }
std::optional<Workload> parse_workload(std::string_view name) { return value_of(kWorkloads, name); }
std::string_view operation_name(Operation operation) { return name_of(kOperations, operation); }
std::optional<Operation> parse_operation(std::string_view name) {
  return value_of(kOperations, name);
}
std::string_view arrival_name(Arrival arrival) { return name_of(kArrivals, arrival); }
std::optional<Arrival> parse_arrival(std::string_view name) { return value_of(kArrivals, name); }
std::string_view access_pattern_name(AccessPattern pattern) { return name_of(kPatterns, pattern); }
std::optional<AccessPattern> parse_access_pattern(std::string_view name) {
  return value_of(kPatterns, name);
}
std::string_view latency_mode_name(LatencyMode mode) { return name_of(kLatencyModes, mode); }
std::optional<LatencyMode> parse_latency_mode(std::string_view name) {
  return value_of(kLatencyModes, name);
}

std::string_view observe_name(Observe observe) { return name_of(kObserve, observe); }
std::optional<Observe> parse_observe(std::string_view name) { return value_of(kObserve, name); }

std::string Target::text() const {
  switch (kind) {
    case FileKind::kNull:
      return "null";
    case FileKind::kZero:
      return "zero";
    case FileKind::kFile:
      return std::string(kFilePrefix) + path;
    case FileKind::kDevice:
      return std::string(kDevicePrefix) + spec;
  }
  return "?";
}

std::string Target::label() const {
  if (kind != FileKind::kFile) return text();
  return std::string(kFilePrefix) + std::filesystem::path(path).filename().string();
}

std::optional<Target> parse_target(std::string_view text) {
  if (text == "null") return Target{.kind = FileKind::kNull};
  if (text == "zero") return Target{.kind = FileKind::kZero};
  if (text.starts_with(kFilePrefix) && text.size() > kFilePrefix.size()) {
    return Target{.kind = FileKind::kFile, .path = std::string(text.substr(kFilePrefix.size()))};
  }
  if (text.starts_with(kDevicePrefix)) {
    return Target{.kind = FileKind::kDevice,
                  .spec = std::string(text.substr(kDevicePrefix.size()))};
  }
  return std::nullopt;
}

std::uint32_t Row::threads() const {
  switch (workload) {
    case Workload::kPerThread:
      return submitters;
    case Workload::kAggregate:
      return submitters + 1;
    case Workload::kShared:
    case Workload::kGrouped:
      return submitters + reapers;
  }
  return submitters;
}

LatencyMode Row::resolved_latency() const {
  if (rate_per_s > 0 && latency != LatencyMode::kOff) return LatencyMode::kFull;
  if (latency != LatencyMode::kAuto) return latency;
  return target.kind == FileKind::kFile || target.kind == FileKind::kDevice ? LatencyMode::kFull
                                                                            : LatencyMode::kSampled;
}

std::string Row::name() const {
  std::string name = fmt::format("{}/{}/{}/submitters:{}", driver, workload_name(workload),
                                 target.label(), submitters);
  if (workload == Workload::kShared || workload == Workload::kGrouped) {
    name += fmt::format("/reapers:{}", reapers);
  }
  if (workload == Workload::kGrouped) name += fmt::format("/contexts:{}", contexts);
  name += fmt::format("/depth:{}/batch:{}", depth, batch);
  if (reap_min != 1) name += fmt::format("/reap_min:{}", reap_min);
  name += fmt::format("/bs:{}/{}", block_size, operation_name(operation));
  if (operation == Operation::kMixed) name += fmt::format("/read_percent:{}", read_percent);
  if (target.kind == FileKind::kFile) {
    if (pattern != AccessPattern::kRandom) name += fmt::format("/{}", access_pattern_name(pattern));
    if (buffered) name += "/buffered";
  }
  if (rate_per_s > 0) name += fmt::format("/rate:{:g}/{}", rate_per_s, arrival_name(arrival));
  if (verify) name += "/verify";
  if (latency != LatencyMode::kAuto) name += fmt::format("/latency:{}", latency_mode_name(latency));
  if (observe != Observe::kAsked) name += fmt::format("/observe:{}", observe_name(observe));
  return name;
}

}  // namespace aioscope
