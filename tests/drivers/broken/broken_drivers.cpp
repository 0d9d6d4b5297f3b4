// Drivers with one fault each, to see that the harness finds it. Loaded by --driver.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "drivers/driver.h"

namespace {

using namespace aioscope;

enum class Fault {
  kLoses,
  kDoubles,
  kHangs,
  kHangsInOpen,
  kHangsInClose,
  kAcceptsNone,
  kThrows,
  kThrowsNumber,
  kShort,
  kFails,
  kCorrupts,
  kWrongTag,
};

[[noreturn]] void hang() {
  while (true) pause();
}

// Counted from 1 in each context: neither among the first batches nor beyond the shortest run.
constexpr std::uint64_t kFaultyRequest = 1000;

// A correct context but for its fault: does the I/O inside submit, and keeps the completions in a
// queue behind a mutex.
class BrokenContext final : public Context {
 public:
  BrokenContext(Fault fault, const ContextOptions& options) : fault_(fault), depth_(options.depth) {
    if (fault == Fault::kHangsInOpen) hang();
    if (fault == Fault::kThrows) throw std::logic_error("an exception of its own");
    if (fault == Fault::kThrowsNumber) throw 7;
    for (const File& file : options.files) fds_.push_back(file.fd);
  }
  ~BrokenContext() override {
    if (fault_ == Fault::kHangsInClose) hang();
  }

  SubmitResult submit(std::span<const Request> requests) override {
    if (fault_ == Fault::kAcceptsNone) return {};
    const std::lock_guard lock(mutex_);
    SubmitResult result;
    for (const Request& request : requests) {
      if (in_flight_ == depth_) break;
      ++in_flight_;
      ++result.accepted;
      accept(request, ++submitted_ == kFaultyRequest);
    }
    completed_.notify_all();
    return result;
  }

  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    std::unique_lock lock(mutex_);
    std::uint32_t count = take(out);
    while (count < min && wait(lock, deadline)) count += take(out.subspan(count));
    return {.count = count};
  }
  std::string setup() const override { return "broken on purpose"; }

 private:
  void accept(const Request& request, bool faulty) {
    // From its request on it answers nothing: not even the deadline of a reaper.
    if (faulty && fault_ == Fault::kHangs) hangs_ = true;
    if (hangs_ || (faulty && fault_ == Fault::kLoses)) return;
    Completion completion{.tag = request.tag, .result = transfer(request)};
    if (faulty && fault_ == Fault::kShort) completion.result -= 1;
    if (faulty && fault_ == Fault::kFails) completion.result = -EIO;
    if (faulty && fault_ == Fault::kWrongTag) completion.tag ^= Tag{1} << 40;
    done_.push_back(completion);
    if (faulty && fault_ == Fault::kDoubles) done_.push_back(completion);
    const bool corrupts = fault_ == Fault::kCorrupts && submitted_ >= kFaultyRequest;
    if (corrupts && request.opcode == Opcode::kRead && request.length > 0) {
      request.buffer[request.length / 2] ^= std::byte{0x40};
    }
  }

  std::int64_t transfer(const Request& request) const {
    if (request.opcode == Opcode::kNop) return 0;
    const int fd = fds_[request.file];
    const auto offset = static_cast<off_t>(request.offset);
    const ssize_t size = request.opcode == Opcode::kRead
                             ? pread(fd, request.buffer, request.length, offset)
                             : pwrite(fd, request.buffer, request.length, offset);
    return size < 0 ? -errno : size;
  }

  std::uint32_t take(std::span<Completion> out) {
    std::uint32_t count = 0;
    for (; count < out.size() && !done_.empty(); ++count) {
      out[count] = done_.front();
      done_.pop_front();
    }
    in_flight_ -= std::min(in_flight_, count);
    return count;
  }

  bool wait(std::unique_lock<std::mutex>& lock, Deadline deadline) {
    // Without end, whatever the deadline.
    while (hangs_) completed_.wait(lock);
    const auto ready = [this] { return !done_.empty() || hangs_; };
    if (deadline.is_poll()) return false;
    if (deadline.is_never()) {
      completed_.wait(lock, ready);
      return true;
    }
    const std::chrono::steady_clock::time_point until{
        std::chrono::nanoseconds(deadline.monotonic_ns())};
    return completed_.wait_until(lock, until, ready);
  }

  const Fault fault_;
  const std::uint32_t depth_;
  std::vector<int> fds_;
  std::mutex mutex_;
  std::condition_variable completed_;
  std::deque<Completion> done_;
  std::uint32_t in_flight_ = 0;
  std::uint64_t submitted_ = 0;
  bool hangs_ = false;
};

template <Fault kFault>
std::unique_ptr<Context> open(const ContextOptions& options) {
  return std::make_unique<BrokenContext>(kFault, options);
}

Availability probe() { return {}; }
Availability probe_unusable() {
  return {.usable = false, .reason = "it is never usable", .cure = "use another"};
}

Availability probe_without_end() { hang(); }

constexpr Capabilities kCapabilities{.opcodes = kAllOpcodes, .completes_inline = true};

template <Fault kFault>
constexpr Driver row(std::string_view name, std::string_view summary) {
  return {.name = name,
          .summary = summary,
          .capabilities = kCapabilities,
          .probe = probe,
          .open = open<kFault>};
}

constexpr Driver kDrivers[] = {
    row<Fault::kLoses>("broken@loses", "loses its 1000th completion"),
    row<Fault::kDoubles>("broken@doubles", "returns its 1000th completion twice"),
    row<Fault::kHangs>("broken@hangs", "stops completing with its 1000th request"),
    row<Fault::kHangsInOpen>("broken@hangs-in-open", "never opens a context"),
    row<Fault::kHangsInClose>("broken@hangs-in-close", "never closes a context"),
    row<Fault::kAcceptsNone>("broken@accepts-none", "is always full"),
    row<Fault::kThrows>("broken@throws", "throws an exception of its own in open"),
    row<Fault::kThrowsNumber>("broken@throws-number", "throws in open what is no exception"),
    row<Fault::kShort>("broken@short", "returns a wrong result for its 1000th request"),
    row<Fault::kFails>("broken@fails", "fails its 1000th request with EIO"),
    row<Fault::kCorrupts>("broken@corrupts", "reads wrong data from its 1000th request on"),
    row<Fault::kWrongTag>("broken@wrong-tag", "returns a tag that it was never given"),
    {.name = "broken@unusable",
     .summary = "cannot run anywhere",
     .capabilities = kCapabilities,
     .probe = probe_unusable,
     .open = open<Fault::kFails>},
    {.name = "broken@hangs-in-probe",
     .summary = "never says whether it can run",
     .capabilities = kCapabilities,
     .probe = probe_without_end,
     .open = open<Fault::kFails>},
};

}  // namespace

extern "C" const aioscope::ExternalDrivers* aioscope_external_drivers() {
  static constexpr aioscope::ExternalDrivers kExternal{.drivers = kDrivers,
                                                       .count = std::size(kDrivers)};
  return &kExternal;
}
