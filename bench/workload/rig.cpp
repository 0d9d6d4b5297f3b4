#include "bench/workload/rig.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "drivers/device_spec.h"

namespace aioscope {
namespace {

ExpectedResult expected_of(const Row& row) {
  if (row.operation == Operation::kNop) return {};
  const std::int64_t size = row.block_size;
  return {.read = row.target.kind == FileKind::kNull ? 0 : size, .write = size};
}

bool expects_errors(const Row& row) {
  return row.target.kind == FileKind::kDevice && parse_device_spec(row.target.spec).error_rate > 0;
}

}  // namespace

Rig::Rig(const Driver& driver_, const Row& row_, const RunSettings& settings)
    : driver(driver_),
      row(row_),
      layout(make_layout(row_)),
      latency(row_.resolved_latency()),
      expected(expected_of(row_)),
      injection(settings.injection),
      operations(settings.operations),
      errors_expected(expects_errors(row_)),
      contexts(layout.contexts) {
  const std::uint64_t size = row.operation == Operation::kNop ? 0 : target_size(row);
  Random seeds(settings.seed);
  const std::uint64_t generation = seeds.next() | 1;
  const std::uint64_t most = operations > 0 ? operations : LaneOptions().operations;
  for (std::uint32_t i = 0; i < layout.submitters; ++i) {
    const auto own = static_cast<std::uint16_t>(layout.private_contexts ? 0 : i);
    lanes.push_back(
        std::make_unique<Lane>(row, latency,
                               LaneOptions{.index = i,
                                           .file = own,
                                           .buffer_region = own,
                                           .target_size = size,
                                           .seed = seeds.next(),
                                           .generation = generation,
                                           .rate_per_s = row.rate_per_s / layout.submitters,
                                           .operations = most}));
    lane_parkers.push_back(std::make_unique<Parker>());
    files_.push_back(open_target(row));
    file_table_.push_back(
        {.kind = row.target.kind, .fd = files_.back().get(), .spec = row.target.spec});
    buffers_.push_back(lanes.back()->arena().bytes());
    // Every slot once, and a time for each: what is in a channel can never be more.
    handed_over.push_back(std::make_unique<ChannelSpsc>(2 * row.depth));
  }
  credits.resize(layout.collectors);
  for (auto& of_collector : credits) {
    for (std::uint32_t i = 0; i < layout.submitters; ++i) {
      of_collector.push_back(std::make_unique<ChannelSpsc>(2 * row.depth));
    }
  }
  for (std::size_t i = 0; i < layout.threads.size(); ++i) {
    meters.push_back(std::make_unique<Meter>(driver.counters));
  }
}

ContextOptions Rig::options_for(std::uint32_t context) const {
  ContextOptions options;
  options.single_thread = layout.private_contexts;
  options.submitters = layout.submitters_of[context];
  options.reapers = layout.reapers_of[context];
  options.depth = row.depth * options.submitters;
  options.files = file_table_;
  options.buffers = buffers_;
  if (layout.private_contexts) {
    options.files = options.files.subspan(context, 1);
    options.buffers = options.buffers.subspan(context, 1);
  }
  return options;
}

void Rig::open_shared_contexts() {
  for (std::uint32_t i = 0; i < layout.contexts; ++i) open_context(i);
}

void Rig::open_context(std::uint32_t context) {
  contexts[context] = inject(driver.open(options_for(context)), injection);
  service_threads += contexts[context]->service_threads();
  if (context == 0) set_setup(contexts[context]->setup());
}

void Rig::note_bad_result(const Completion& completion, std::int64_t expected_result) {
  if (completion.result >= 0) {
    control.fail(
        std::make_exception_ptr(InvalidResult(fmt::format(
            "an operation transferred {} bytes instead of {}; the driver is broken, or the "
            "file was made shorter while it was measured",
            completion.result, expected_result))),
        Phase::kDraining);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ++errors_by_errno_[static_cast<int>(-completion.result)];
  }
  control.enter(Phase::kDraining);
}

std::map<int, std::uint64_t> Rig::errors_by_errno() const {
  const std::lock_guard lock(mutex_);
  return errors_by_errno_;
}

void Rig::set_setup(std::string setup) {
  const std::lock_guard lock(mutex_);
  setup_ = std::move(setup);
}

std::string Rig::setup() const {
  const std::lock_guard lock(mutex_);
  return setup_;
}

}  // namespace aioscope
