// Everything one repetition needs, and what its threads share.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "bench/runner.h"
#include "bench/workload/channel.h"
#include "bench/workload/control.h"
#include "bench/workload/lane.h"
#include "bench/workload/layout.h"
#include "bench/workload/meter.h"
#include "bench/workload/parker.h"
#include "bench/workload/target.h"

namespace aioscope {

// What a completed request must return on this row's target, in bytes.
struct ExpectedResult {
  std::int64_t read = 0;
  std::int64_t write = 0;
};

class Rig {
 public:
  Rig(const Driver& driver, const Row& row, const RunSettings& settings);

  void open_shared_contexts();               // throws SetupError
  void open_context(std::uint32_t context);  // likewise; a private one by its thread

  const Driver& driver;
  const Row row;
  const Layout layout;
  const LatencyMode latency;  // resolved
  const ExpectedResult expected;
  const Injection injection;
  const std::uint64_t operations;  // of each submitter; 0: by time
  const bool errors_expected;      // the target is a device that was asked to fail now and then
  Control control;

  std::vector<std::unique_ptr<Lane>> lanes;           // per submitter
  std::vector<std::unique_ptr<Parker>> lane_parkers;  // per submitter: sleeps for free slots
  std::vector<std::unique_ptr<Meter>> meters;         // per thread
  std::vector<std::unique_ptr<Context>> contexts;     // per context
  // credits[collector][submitter]: tags on their way back to their submitter.
  std::vector<std::vector<std::unique_ptr<ChannelSpsc>>> credits;
  // aggregate: completions on their way to the consumer, per submitter.
  std::vector<std::unique_ptr<ChannelSpsc>> handed_over;
  Parker consumer_parker;

  std::atomic<std::uint32_t> service_threads{0};  // of all contexts; complete once they are open
  std::atomic<std::uint32_t> submitters_done{0};  // have nothing in flight and submit no more
  std::atomic<std::uint32_t> lanes_complete{0};   // have had all of their `operations` back

  // An operation failed or was short, which ends the repetition; cold. Thread-safe.
  void note_bad_result(const Completion& completion, std::int64_t expected_result);
  std::map<int, std::uint64_t> errors_by_errno() const;

  void set_setup(std::string setup);
  std::string setup() const;

 private:
  ContextOptions options_for(std::uint32_t context) const;

  std::vector<Descriptor> files_;  // one open file description per submitter
  std::vector<File> file_table_;
  std::vector<std::span<std::byte>> buffers_;

  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> errors_by_errno_;  // guarded by mutex_
  std::string setup_;                             // guarded by mutex_

 public:
  int file_of(std::uint32_t submitter) const { return files_[submitter].get(); }
};

// What every thread does before the load.
void touch_memory_of(Rig& rig, std::uint32_t thread);
// If it has one. Throws what a driver's open() throws.
void open_private_context(Rig& rig, std::uint32_t thread);
// The load; returns when the repetition is over. Throws InvalidResult.
void run_thread(Rig& rig, std::uint32_t thread);

}  // namespace aioscope
