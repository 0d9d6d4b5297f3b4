#include "drivers/sync/sync_driver.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "drivers/deadline.h"
#include "drivers/kernel_settings.h"
#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

// The files of a context, and the I/O on them.
class SyncFiles {
 public:
  explicit SyncFiles(const ContextOptions& options) {
    if (options.depth == 0) throw SetupFailure("sync: a depth of 0", "use a --depth of at least 1");
    for (const File& file : options.files) {
      if (file.kind == FileKind::kDevice) {
        throw SetupFailure("sync: a simulated device is no kernel file",
                           "use it with a kioctx driver");
      }
      fds_.push_back(file.fd);
    }
  }

  // 0, or the errno for which the request is refused.
  int check(const Request& request) const {
    if (request.file >= fds_.size()) return EBADF;
    return request.opcode == Opcode::kNop ? EOPNOTSUPP : 0;
  }

  Completion transfer(const Request& request) const {
    const iovec vector{request.buffer, request.length};
    const auto offset = static_cast<off_t>(request.offset);
    const int fd = fds_[request.file];
    const ssize_t size = request.opcode == Opcode::kRead ? preadv2(fd, &vector, 1, offset, 0)
                                                         : pwritev2(fd, &vector, 1, offset, 0);
    return {.tag = request.tag, .result = size < 0 ? -errno : size};
  }

 private:
  std::vector<int> fds_;
};

// Completions that wait to be reaped, the oldest first. Not thread-safe.
class CompletionFifo {
 public:
  explicit CompletionFifo(std::uint32_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), entries_(mask_ + std::size_t{1}) {}

  void push(const Completion& completion) { entries_[tail_++ & mask_] = completion; }
  std::uint32_t pop(std::span<Completion> out) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(tail_ - head_, out.size()));
    for (std::uint32_t i = 0; i < count; ++i) out[i] = entries_[(head_ + i) & mask_];
    head_ += count;
    return count;
  }
  std::uint32_t size() const { return tail_ - head_; }

 private:
  const std::uint32_t mask_;
  std::vector<Completion> entries_;
  std::uint32_t head_ = 0;
  std::uint32_t tail_ = 0;
};

class PrivateSync final : public Context {
 public:
  explicit PrivateSync(const ContextOptions& options)
      : depth_(options.depth), files_(options), done_(options.depth) {}

  SubmitResult submit(std::span<const Request> requests) override {
    SubmitResult result;
    for (const Request& request : requests) {
      if (done_.size() == depth_) break;
      result.error = files_.check(request);
      if (result.error != 0) break;
      done_.push(files_.transfer(request));
      ++result.accepted;
    }
    result.system_calls = result.accepted;
    return result;
  }

  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    const std::uint32_t count = done_.pop(out);
    // Only the thread that is here could submit more: nothing can come before the deadline.
    if (count < min && !deadline.is_poll() && !deadline.is_never()) {
      const timespec left = time_left(deadline);
      nanosleep(&left, nullptr);
    }
    return {.count = count};
  }
  std::string setup() const override { return "private"; }

 private:
  const std::uint32_t depth_;
  const SyncFiles files_;
  CompletionFifo done_;
};

// Submitters do their I/O in parallel and meet where its completions are queued.
class SharedSync final : public Context {
 public:
  explicit SharedSync(const ContextOptions& options)
      : free_(options.depth), files_(options), done_(options.depth) {}

  SubmitResult submit(std::span<const Request> requests) override {
    SubmitResult result;
    while (result.accepted < requests.size() && result.error == 0) {
      const auto rest = requests.subspan(result.accepted);
      const std::uint32_t granted = reserve(rest.size());
      if (granted == 0) break;
      std::array<Completion, kChunk> completions;
      std::uint32_t count = 0;
      for (; count < granted; ++count) {
        result.error = files_.check(rest[count]);
        if (result.error != 0) break;
        completions[count] = files_.transfer(rest[count]);
      }
      complete({completions.data(), count}, granted);
      result.accepted += count;
    }
    result.system_calls = result.accepted;
    return result;
  }

  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    std::unique_lock lock(mutex_);
    std::uint32_t count = take(out);
    while (count < min && wait(lock, deadline)) count += take(out.subspan(count));
    return {.count = count + take(out.subspan(count))};
  }
  std::string setup() const override { return "shared by a mutex"; }

 private:
  static constexpr std::size_t kChunk = 64;  // requests between two visits to the lock

  std::uint32_t reserve(std::size_t wanted) {
    const std::lock_guard lock(mutex_);
    const auto granted = static_cast<std::uint32_t>(std::min({wanted, kChunk, std::size_t{free_}}));
    free_ -= granted;
    return granted;
  }

  void complete(std::span<const Completion> completions, std::uint32_t reserved) {
    const std::lock_guard lock(mutex_);
    for (const Completion& completion : completions) done_.push(completion);
    free_ += reserved - static_cast<std::uint32_t>(completions.size());
    // All of them: one reaper may want more than there is, and another just this.
    completed_.notify_all();
  }

  std::uint32_t take(std::span<Completion> out) {
    const std::uint32_t count = done_.pop(out);
    free_ += count;
    return count;
  }

  // False when the deadline has passed.
  bool wait(std::unique_lock<std::mutex>& lock, Deadline deadline) {
    if (deadline.is_poll()) return false;
    const auto ready = [this] { return done_.size() > 0; };
    if (deadline.is_never()) {
      completed_.wait(lock, ready);
      return true;
    }
    const std::chrono::steady_clock::time_point until{
        std::chrono::nanoseconds(deadline.monotonic_ns())};
    return completed_.wait_until(lock, until, ready);
  }

  std::mutex mutex_;
  std::condition_variable completed_;
  std::uint32_t free_;  // guarded by mutex_
  const SyncFiles files_;
  CompletionFifo done_;  // guarded by mutex_
};

std::unique_ptr<Context> open(const ContextOptions& options) {
  if (options.single_thread) return std::make_unique<PrivateSync>(options);
  return std::make_unique<SharedSync>(options);
}

Availability probe() {
  std::byte byte{};
  const iovec vector{&byte, 1};
  const int fd = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  const ssize_t size = preadv2(fd, &vector, 1, 0, 0);
  const int error = errno;
  if (fd >= 0) close(fd);
  if (size == 1) return {};
  return {false, fmt::format("preadv2 on /dev/zero: {} ({})", errno_name(error), strerror(error)),
          "use a kernel of 4.6 or later with /dev mounted"};
}

constexpr Driver kSyncDrivers[] = {{
    .name = "sync",
    .summary = "preadv2 and pwritev2 inside submit: what a user would fall back to",
    .capabilities = {.completes_inline = true},
    .probe = probe,
    .open = open,
}};

}  // namespace

std::span<const Driver> sync_drivers() { return kSyncDrivers; }

}  // namespace aioscope
