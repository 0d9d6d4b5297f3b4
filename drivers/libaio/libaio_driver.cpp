#include "drivers/libaio/libaio_driver.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

#include "drivers/deadline.h"
#include "drivers/kernel_settings.h"
#include "drivers/libaio/aio_queue.h"
#include "drivers/libaio/user_ring.h"
#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

// Private and shared are the same here: the kernel guards an io_context_t.
class LibaioContext final : public Context {
 public:
  explicit LibaioContext(const ContextOptions& options) : queue_(options) {}

  SubmitResult submit(std::span<const Request> requests) override {
    return queue_.submit(requests);
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    return queue_.get_events(out, min, deadline);
  }
  std::string setup() const override { return fmt::format("io_getevents nr={}", queue_.depth()); }

 private:
  AioQueue queue_;
};

class UserReapContext final : public Context {
 public:
  explicit UserReapContext(const ContextOptions& options) : queue_(options), ring_(queue_.id()) {}

  SubmitResult submit(std::span<const Request> requests) override {
    return queue_.submit(requests);
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    const std::uint32_t count = ring_.pop_single_consumer(out);
    if (count >= min || deadline.is_poll()) return {.count = count};
    ReapResult result = queue_.get_events(out.subspan(count), min - count, deadline);
    result.count += count;
    return result;
  }
  std::string setup() const override {
    return fmt::format("user-ring, io_getevents to block, nr={}", queue_.depth());
  }

 private:
  AioQueue queue_;
  UserRing ring_;
};

class EventFd {
 public:
  EventFd() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (fd_ >= 0) return;
    throw SetupFailure(fmt::format("eventfd: {} ({})", errno_name(errno), std::strerror(errno)),
                       "raise the limit of open files (ulimit -n) or use fewer contexts");
  }
  EventFd(const EventFd&) = delete;
  EventFd& operator=(const EventFd&) = delete;
  ~EventFd() { close(fd_); }

  int fd() const { return fd_; }

  // Blocks until something was completed. 0, or the errno: ETIMEDOUT, EINTR.
  int wait(Deadline deadline) const {
    pollfd entry{.fd = fd_, .events = POLLIN};
    timespec left{};
    if (!deadline.is_never()) left = time_left(deadline);
    const int ready = ppoll(&entry, 1, deadline.is_never() ? nullptr : &left, nullptr);
    if (ready > 0) return 0;
    return ready == 0 ? ETIMEDOUT : errno;
  }

  // Sets it back to 0. Whatever completes from now on makes it readable again, so that this must
  // come before looking for completions, never after.
  void drain() const {
    std::uint64_t completions;
    [[maybe_unused]] const auto size = read(fd_, &completions, sizeof completions);
  }

 private:
  int fd_;
};

// As an event loop does it: sleep on the eventfd, then take what there is without blocking. One
// reaper, because drain() by one would hide from another what the first had no room for.
class EventFdContext final : public Context {
 public:
  explicit EventFdContext(const ContextOptions& options) : queue_(options, event_.fd()) {}

  SubmitResult submit(std::span<const Request> requests) override {
    return queue_.submit(requests);
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    ReapResult result = queue_.get_events(out, 0, Deadline::poll());
    while (result.count < min && result.error == 0 && !deadline.is_poll()) {
      const int error = event_.wait(deadline);
      ++result.system_calls;
      if (error != 0) {
        result.error = error == EINTR || error == ETIMEDOUT ? 0 : error;
        break;
      }
      event_.drain();
      const ReapResult more = queue_.get_events(out.subspan(result.count), 0, Deadline::poll());
      result.count += more.count;
      result.error = more.error;
      result.system_calls += 1 + more.system_calls;
    }
    return result;
  }
  std::string setup() const override {
    return fmt::format("IOCB_FLAG_RESFD, ppoll to block, nr={}", queue_.depth());
  }

 private:
  EventFd event_;
  AioQueue queue_;
};

template <typename SomeContext>
std::unique_ptr<Context> open(const ContextOptions& options) {
  return std::make_unique<SomeContext>(options);
}

template <typename SomeContext>
Availability probe() {
  return probe_by_opening([] { SomeContext(ContextOptions{.depth = 1}); });
}

constexpr Capabilities kOneReaper{.max_reapers = 1};

constexpr Driver kLibaioDrivers[] = {
    {.name = "libaio",
     .summary = "the kernel's AIO: io_submit and io_getevents",
     .capabilities = {},
     .probe = probe<LibaioContext>,
     .open = open<LibaioContext>},
    {.name = "libaio@user-reap",
     .summary = "completions are read from the ring in user memory; io_getevents only to block",
     .capabilities = kOneReaper,
     .probe = probe<UserReapContext>,
     .open = open<UserReapContext>},
    {.name = "libaio@eventfd",
     .summary = "completions are signalled on an eventfd, as event loops use it",
     .capabilities = kOneReaper,
     .probe = probe<EventFdContext>,
     .open = open<EventFdContext>},
};

}  // namespace

std::span<const Driver> libaio_drivers() { return kLibaioDrivers; }

}  // namespace aioscope
