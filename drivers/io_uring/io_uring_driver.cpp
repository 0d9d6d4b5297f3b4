#include "drivers/io_uring/io_uring_driver.h"

#include <array>
#include <cstddef>

#include "drivers/io_uring/completion_queue.h"
#include "drivers/io_uring/counted_mutex.h"
#include "drivers/io_uring/ring_setup.h"
#include "drivers/io_uring/submission_queue.h"
#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

constexpr std::size_t kCacheline = 64;

// How threads that share a ring are kept apart.
enum class Guard { kNone, kTwoLocks, kOneLock };

// What is left of reap() when the queue held fewer than `min`. `take` empties the queue into a
// span.
template <typename Take>
ReapResult enter_and_take(const CompletionQueue& queue, std::span<Completion> out, std::size_t min,
                          Deadline deadline, std::uint32_t count, const Take& take) {
  ReapResult result{.count = count};
  do {
    // A poll enters only to have completion work done that waits for it.
    const bool poll = deadline.is_poll() || result.count >= min;
    if (poll && !queue.kernel_has_more()) break;
    const int error = queue.enter(poll ? 0 : min - result.count, deadline);
    ++result.system_calls;
    result.count += take(out.subspan(result.count));
    if (error != 0) {
      result.error = error == ETIME || error == EINTR ? 0 : error;
      break;
    }
    if (poll) break;
  } while (result.count < min);
  return result;
}

CancelResult cancel_request(io_uring& ring, Tag tag) {
  // A timeout of 0: do not wait for the request to end. It then ends with ETIME or EALREADY.
  io_uring_sync_cancel_reg request{.addr = tag, .fd = -1, .timeout = {0, 0}};
  switch (io_uring_register_sync_cancel(&ring, &request)) {
    case -ENOENT:
      return CancelResult::kNotFound;
    case -EINVAL:
      return CancelResult::kUnsupported;  // before Linux 6.0
    default:
      return CancelResult::kRequested;
  }
}

// One thread submits and reaps.
class PrivateRing final : public Context {
 public:
  PrivateRing(const RingRecipe& recipe, const ContextOptions& options)
      : setup_(recipe, options), submission_(setup_, recipe, options.depth), completion_(setup_) {}

  SubmitResult submit(std::span<const Request> requests) override {
    return submission_.submit(requests);
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    const std::uint32_t count = completion_.take(out);
    if (count >= min && count > 0) return {.count = count};
    return enter_and_take(completion_, out, min, deadline, count,
                          [this](std::span<Completion> rest) { return completion_.take(rest); });
  }
  CancelResult cancel(Tag tag) override { return cancel_request(setup_.ring(), tag); }
  std::string setup() const override { return setup_.describe(); }
  std::uint32_t service_threads() const override { return setup_.service_threads(); }

 private:
  RingSetup setup_;
  SubmissionQueue submission_;
  CompletionQueue completion_;
};

// Several threads submit and reap. The locks guard the two queues, which liburing and the kernel
// leave to us; nobody holds one while it blocks, so that reapers stop neither submitters nor each
// other.
class SharedRing final : public Context {
 public:
  SharedRing(const RingRecipe& recipe, const ContextOptions& options, Guard guard)
      : setup_(recipe, options),
        reap_lock_(guard == Guard::kOneLock ? submit_lock_ : own_reap_lock_),
        locks_(guard == Guard::kOneLock ? "locks=one" : "locks=submit,reap"),
        submission_(setup_, recipe, options.depth),
        completion_(setup_) {}

  SubmitResult submit(std::span<const Request> requests) override {
    const CountedLock lock(submit_lock_, RingSite::kSubmit);
    return submission_.submit(requests);
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    const std::uint32_t count = take(out);
    if (count >= min && count > 0) return {.count = count};
    return enter_and_take(completion_, out, min, deadline, count,
                          [this](std::span<Completion> rest) { return take(rest); });
  }
  CancelResult cancel(Tag tag) override { return cancel_request(setup_.ring(), tag); }
  std::string setup() const override { return setup_.describe() + " " + locks_; }
  std::uint32_t service_threads() const override { return setup_.service_threads(); }

 private:
  std::uint32_t take(std::span<Completion> out) {
    const CountedLock lock(reap_lock_, RingSite::kReap);
    return completion_.take(out);
  }

  RingSetup setup_;
  CountedMutex& reap_lock_;
  const char* const locks_;
  // Grouped by writer: submitters and reapers write no common line.
  alignas(kCacheline) CountedMutex submit_lock_;
  SubmissionQueue submission_;  // guarded by submit_lock_
  alignas(kCacheline) CountedMutex own_reap_lock_;
  CompletionQueue completion_;  // take() is guarded by reap_lock_
};

template <bool kSqpoll, bool kRegistered, Guard kSharedGuard>
std::unique_ptr<Context> open(const ContextOptions& options) {
  constexpr RingRecipe kRecipe{.sqpoll = kSqpoll, .registered = kRegistered};
  if (options.single_thread) return std::make_unique<PrivateRing>(kRecipe, options);
  return std::make_unique<SharedRing>(kRecipe, options, kSharedGuard);
}

template <bool kSqpoll, bool kRegistered>
Availability probe() {
  return probe_by_opening([] {
    std::array<std::byte, 1> buffer{};
    const std::span<std::byte> region(buffer);
    const File file{};
    PrivateRing({.sqpoll = kSqpoll, .registered = kRegistered},
                {.depth = 1, .files = {&file, 1}, .buffers = {&region, 1}});
  });
}

constexpr Capabilities kCapabilities{.opcodes = kAllOpcodes, .cancel = true};

constexpr Driver kIoUringDrivers[] = {
    {.name = "io_uring",
     .summary = "io_uring; a shared ring has one lock for submitting and one for reaping",
     .capabilities = kCapabilities,
     .probe = probe<false, false>,
     .open = open<false, false, Guard::kTwoLocks>,
     .counters = &kRingCounters},
    {.name = "io_uring@one-lock",
     .summary = "io_uring; a shared ring has one lock for everything",
     .capabilities = kCapabilities,
     .probe = probe<false, false>,
     .open = open<false, false, Guard::kOneLock>,
     .counters = &kRingCounters},
    {.name = "io_uring@sqpoll",
     .summary = "io_uring; a kernel thread per ring takes the submissions",
     .capabilities = kCapabilities,
     .probe = probe<true, false>,
     .open = open<true, false, Guard::kTwoLocks>,
     .counters = &kRingCounters},
    {.name = "io_uring@registered",
     .summary = "io_uring with fixed files and fixed buffers",
     .capabilities = kCapabilities,
     .probe = probe<false, true>,
     .open = open<false, true, Guard::kTwoLocks>,
     .counters = &kRingCounters},
};

}  // namespace

std::span<const Driver> io_uring_drivers() { return kIoUringDrivers; }

}  // namespace aioscope
