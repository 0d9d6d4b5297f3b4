#include "drivers/kioctx/kioctx_driver.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "drivers/device_spec.h"
#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/device.h"
#include "drivers/kioctx/file_workers.h"
#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/kioctx.h"
#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/stage_text.h"
#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

using kioctx::Iocb;
using kioctx::IocbCommand;
using kioctx::IoEvent;
using kioctx::NamedStage;

// Threads that serve the real files of a context: one per request in flight, up to this many.
constexpr std::uint32_t kMaxWorkers = 32;
constexpr std::uint32_t kMaxDepth = 1u << 22;

constexpr IocbCommand command_of(Opcode opcode) {
  switch (opcode) {
    case Opcode::kRead:
      return IocbCommand::kPread;
    case Opcode::kWrite:
      return IocbCommand::kPwrite;
    case Opcode::kNop:
      break;
  }
  return IocbCommand::kNoop;
}

// Grows to the largest batch that the thread ever handed over.
std::span<Iocb> iocbs_of(std::span<const Request> requests) {
  static thread_local std::vector<Iocb> iocbs;
  if (iocbs.size() < requests.size()) iocbs.resize(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    iocbs[i] = {.data = request.tag,
                .buf = request.buffer,
                .offset = request.offset,
                .nbytes = request.length,
                .fildes = request.file,
                .opcode = command_of(request.opcode)};
  }
  return {iocbs.data(), requests.size()};
}

std::span<IoEvent> event_buffer(std::size_t count) {
  static thread_local std::vector<IoEvent> events;
  if (events.size() < count) events.resize(count);
  return {events.data(), count};
}

class SystemCallCount {
 public:
  std::uint32_t so_far() const { return std::uint32_t(kioctx::system_calls - before_); }

 private:
  const std::uint64_t before_ = kioctx::system_calls;
};

class KioctxContext final : public Context {
 public:
  // Of the stage kStages[index].
  KioctxContext(std::size_t index, const ContextOptions& options)
      : stage_(kioctx::kStages[index]), calls_(kioctx::kStageCalls[index]) {
    if (options.depth == 0 || options.depth > kMaxDepth) {
      throw SetupFailure(fmt::format("kioctx: depth is {}", options.depth),
                         fmt::format("ask for 1 to {}", kMaxDepth));
    }
    for (const File& file : options.files) install(file, options.depth);
    if (const int error = -calls_.io_setup(options.depth, &id_); error != 0) {
      throw SetupFailure(
          fmt::format("kioctx: io_setup({}): {}", options.depth, std::strerror(error)),
          "use a smaller depth or fewer contexts");
    }
  }
  // A completion thread, which others use too, may be putting a file of ours when its last
  // completion has been reaped already. It uses nothing of ours after that.
  ~KioctxContext() override {
    calls_.io_destroy(id_);
    while (files_.references() > 0) kioctx::yield_cpu();
  }

  SubmitResult submit(std::span<const Request> requests) override {
    const SystemCallCount calls;
    const auto [submitted, error] = calls_.io_submit(id_, files_, iocbs_of(requests));
    return {submitted, error == EAGAIN ? 0 : error, calls.so_far()};
  }

  // v3.7's clock is its jiffy: where it came back that little before the deadline, it is called
  // again.
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    const SystemCallCount calls;
    const std::span<IoEvent> events = event_buffer(out.size());
    std::size_t count = 0;
    std::int32_t error = 0;
    do {
      const auto wanted = std::uint32_t(min > count ? min - count : 0);
      const std::int64_t got =
          calls_.io_getevents(id_, wanted, events.subspan(count), deadline.monotonic_ns());
      if (got < 0) {
        error = got == -EINTR ? 0 : std::int32_t(-got);
        break;
      }
      count += std::size_t(got);
    } while (count < min && back_early(deadline));
    for (std::size_t i = 0; i < count; ++i) out[i] = {events[i].data, events[i].res};
    return {std::uint32_t(count), error, calls.so_far()};
  }

  CancelResult cancel(Tag tag) override {
    IoEvent event;
    switch (calls_.io_cancel(id_, tag, &event)) {
      case 0:
        return CancelResult::kCancelled;
      case -EINPROGRESS:
        return CancelResult::kRequested;
      default:
        return CancelResult::kNotFound;
    }
  }

  std::string setup() const override {
    const kioctx::ContextInfo info = calls_.io_describe(id_);
    std::string text = fmt::format("stage={} nr_events={}", stage_.name, info.nr_events);
    if (info.req_batch > 0) {
      text += fmt::format(" req_batch={} percpu={}", info.req_batch,
                          kioctx::percpu_uses_rseq() ? "rseq" : "atomic");
    }
    if (workers_ != nullptr) text += fmt::format(" workers={}", workers_->threads());
    for (const auto& device : devices_) text += device_text(*device);
    return text;
  }

  std::uint32_t service_threads() const override {
    return workers_ == nullptr ? 0 : workers_->threads();
  }

 private:
  void install(const File& file, std::uint32_t depth) {
    switch (file.kind) {
      case FileKind::kNull:
        files_.install(kioctx::kNullFile, nullptr);
        return;
      case FileKind::kZero:
        files_.install(kioctx::kZeroFile, nullptr);
        return;
      case FileKind::kFile:
        if (workers_ == nullptr) start_workers(std::min(depth, kMaxWorkers));
        workers_->install(files_, file.fd);
        return;
      case FileKind::kDevice:
        device(file.spec).install(files_);
        return;
    }
  }

  // Of that description. This context uses it until it ends.
  kioctx::SimulatedDevice& device(std::string_view spec) {
    try {
      auto device = kioctx::device_of(parse_device_spec(spec));
      if (std::ranges::find(devices_, device) == devices_.end()) devices_.push_back(device);
      return *device;
    } catch (const DeviceSpecError& error) {
      throw SetupFailure(fmt::format("kioctx: {}", error.what()),
                         "'aioscope list targets' shows a whole one");
    } catch (const std::system_error& error) {
      throw SetupFailure(fmt::format("kioctx: cannot start a device's threads: {}", error.what()),
                         "raise the limit of processes (ulimit -u) or ask for fewer cpus");
    }
  }

  static std::string device_text(const kioctx::SimulatedDevice& device) {
    std::string text = fmt::format(" device={} device_cpus={}", device_spec_text(device.spec()),
                                   fmt::join(device.cpus(), ","));
    if (device.cpus().size() < device.spec().cpus) text += " (no more can be used)";
    return text;
  }

  void start_workers(unsigned threads) {
    try {
      workers_ = std::make_unique<kioctx::FileWorkers>(threads);
    } catch (const std::system_error& error) {
      throw SetupFailure(fmt::format("kioctx: cannot start {} worker threads: {}", threads,
                                     error.code().message()),
                         "raise the limit of processes (ulimit -u) or use a smaller depth");
    }
  }

  // A longer time that is left means that a signal came.
  bool back_early(Deadline deadline) const {
    if (stage_.stage.hrtimer_wait || deadline.is_poll() || deadline.is_never()) return false;
    const std::int64_t left_ns = deadline.monotonic_ns() - kioctx::monotonic_ns();
    return left_ns > 0 && left_ns <= kioctx::kJiffyNs;
  }

  const NamedStage& stage_;
  const kioctx::StageCalls& calls_;
  // In this order: a worker may be putting its file when its last completion has been reaped
  // already.
  kioctx::FileTable files_;
  std::unique_ptr<kioctx::FileWorkers> workers_;
  std::vector<std::shared_ptr<kioctx::SimulatedDevice>> devices_;
  kioctx::AioContextId id_ = 0;
};

template <std::size_t kIndex>
std::unique_ptr<Context> open(const ContextOptions& options) {
  return std::make_unique<KioctxContext>(kIndex, options);
}

template <std::size_t kIndex>
Availability probe() {
  return probe_by_opening([] { open<kIndex>({.depth = 1}); });
}

// "kioctx@" in front of the stage's name, as a constant.
template <std::size_t kIndex>
constexpr auto full_name() {
  constexpr std::string_view kPrefix = "kioctx@";
  constexpr std::string_view kName = kioctx::kStages[kIndex].name;
  std::array<char, kPrefix.size() + kName.size()> text{};
  std::copy(kName.begin(), kName.end(), std::copy(kPrefix.begin(), kPrefix.end(), text.begin()));
  return text;
}
template <std::size_t kIndex>
constexpr auto kFullName = full_name<kIndex>();

DriverCounts to_contract(const kioctx::CountSums& sums) {
  DriverCounts counts{
      .shared_rmw = sums.shared_rmw, .allocations = sums.allocations, .wakeups = sums.wakeups};
  for (const kioctx::CountSums::Lock& lock : sums.locks) {
    counts.locks.push_back({lock.acquisitions, lock.contended, lock.wait_ns, lock.waits});
  }
  return counts;
}

constexpr CounterSource kCounters{
    .lock_sites = kioctx::kLockSiteNames,
    .whole_engine = true,
    .this_thread =
        [] {
          kioctx::CountSums sums;
          sums.add(kioctx::counts);
          return to_contract(sums);
        },
    .service_threads = [] { return to_contract(kioctx::service_counts()); },
};

template <std::size_t kIndex>
std::vector<DriverNote> notes() {
  std::vector<DriverNote> notes;
  for (kioctx::StageNote& note : kioctx::describe(kioctx::kStages[kIndex])) {
    notes.push_back({std::move(note.heading), std::move(note.text)});
  }
  return notes;
}

template <std::size_t... kIndex>
constexpr std::array<Driver, sizeof...(kIndex)> make_rows(std::index_sequence<kIndex...>) {
  return {Driver{
      .name = std::string_view(kFullName<kIndex>.data(), kFullName<kIndex>.size()),
      .summary = kioctx::kStages[kIndex].summary,
      .capabilities = {.opcodes = kAllOpcodes,
                       .files = kKernelFiles | file_kind_bit(FileKind::kDevice),
                       .cancel = true},
      .probe = probe<kIndex>,
      .open = open<kIndex>,
      .counters = &kCounters,
      .notes = notes<kIndex>,
  }...};
}

constexpr auto kKioctxDrivers = make_rows(std::make_index_sequence<kioctx::kStages.size()>{});

}  // namespace

std::span<const Driver> kioctx_drivers() { return kKioctxDrivers; }

}  // namespace aioscope
