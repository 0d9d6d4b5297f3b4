// A row: one configuration to measure, and the identity of its results.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/driver.h"

namespace aioscope {

// How threads and contexts are laid out.
//   shared      N submitters and M reapers on one context
//   per-thread  N threads, each submits to and reaps from a context of its own
//   aggregate   per-thread, and every completion goes to one consumer through a userspace queue
//   grouped     N submitters and M reapers over K contexts
enum class Workload : std::uint8_t { kShared, kPerThread, kAggregate, kGrouped };
std::string_view workload_name(Workload workload);
std::optional<Workload> parse_workload(std::string_view name);

enum class Operation : std::uint8_t { kRead, kWrite, kMixed, kNop };
std::string_view operation_name(Operation operation);
std::optional<Operation> parse_operation(std::string_view name);

enum class Arrival : std::uint8_t { kConstant, kPoisson };
std::string_view arrival_name(Arrival arrival);
std::optional<Arrival> parse_arrival(std::string_view name);

enum class AccessPattern : std::uint8_t { kRandom, kSequential };
std::string_view access_pattern_name(AccessPattern pattern);
std::optional<AccessPattern> parse_access_pattern(std::string_view name);

// How many operations carry a time stamp. kSampled stamps one submit call in about 32 operations,
// so that a batch of 32 is stamped every time; what kAuto is, Row::resolved_latency() says.
enum class LatencyMode : std::uint8_t { kAuto, kFull, kSampled, kOff };
std::string_view latency_mode_name(LatencyMode mode);
std::optional<LatencyMode> parse_latency_mode(std::string_view name);

// Which instruments look at a row: those that the run was asked for (--counters, --profile,
// --locks), none of them, or one of them alone. The rows of an instrument and of kOff, measured in
// turns, are what looking costs.
enum class Observe : std::uint8_t { kAsked, kOff, kCounters, kProfile, kLocks };
std::string_view observe_name(Observe observe);
std::optional<Observe> parse_observe(std::string_view name);

// "null", "zero", "file:PATH", "device:SPEC".
struct Target {
  FileKind kind = FileKind::kNull;
  std::string path;  // of kFile
  std::string spec;  // of kDevice

  std::string text() const;   // as the user writes it
  std::string label() const;  // without '/': "null", "zero", "file:BASENAME", "device:SPEC"
  bool operator==(const Target&) const = default;
};
// nullopt when `text` is none of the four forms.
std::optional<Target> parse_target(std::string_view text);

struct Row {
  std::string driver;  // full name, aliases resolved
  Workload workload = Workload::kPerThread;
  Target target;
  std::uint32_t submitters = 1;
  std::uint32_t reapers =
      1;  // threads that reap; the workload per-thread has none of their own (0)
  std::uint32_t contexts = 1;      // K; derived from the workload except for grouped
  std::uint32_t depth = 128;       // requests in flight per submitter
  std::uint32_t batch = 32;        // most requests per submit and completions per reap
  std::uint32_t reap_min = 1;      // completions a reap waits for
  std::uint32_t block_size = 512;  // bytes
  Operation operation = Operation::kRead;
  std::uint32_t read_percent = 50;  // of kMixed
  AccessPattern pattern = AccessPattern::kRandom;
  bool buffered = false;  // files without O_DIRECT
  bool verify = false;
  double rate_per_s = 0;  // operations per second over all submitters; 0: closed loop
  Arrival arrival = Arrival::kConstant;
  LatencyMode latency = LatencyMode::kAuto;
  Observe observe = Observe::kAsked;

  // Whether `instrument`, if the run was asked for it, looks at this row.
  bool observed_by(Observe instrument) const {
    return observe == Observe::kAsked || observe == instrument;
  }
  // A device must be kept busy and takes its time. What completes while it is submitted needs no
  // depth, and there a sleep and its wake-up cost as much as hundreds of operations.
  bool on_device() const {
    return target.kind == FileKind::kFile || target.kind == FileKind::kDevice;
  }
  std::uint32_t threads() const;  // that the harness starts
  // kAuto decided: kFull on files, simulated devices and in open loop, kSampled elsewhere. In open
  // loop every operation has its intended start for nothing, so that there is no kSampled.
  LatencyMode resolved_latency() const;
  // "libaio/shared/zero/submitters:4/reapers:1/depth:128/batch:32/bs:512/read"; parts that have
  // their default and are rarely changed are left out. Unique within a plan.
  std::string name() const;
  bool operator==(const Row&) const = default;
};

}  // namespace aioscope
