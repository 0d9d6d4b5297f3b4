// A complete external driver, to copy from: `ramdisk`, a disk in memory.
//
// Build it as a shared object and hand it to any command:
//
//   g++ -std=c++20 -O2 -g -fno-omit-frame-pointer -shared -fPIC -I.
//       drivers/example/ramdisk_driver.cpp -o ramdisk.so
//   aioscope run --driver ./ramdisk.so --workload shared --target zero
//
// What a driver is made of, in the order of this file:
//
// 1. A Context: one submission and completion domain, what an io_context_t or a ring is. Three
//    functions must be written: submit(), reap() and setup(). drivers/driver.h is the contract; in
//    short:
//    - submit() takes as much of the batch as there is room for and says how much. That there is no
//      room is not an error: return fewer with `error` 0, and the caller will reap first.
//    - A request that can never work is refused by submit(): return what came before it, and its
//      errno. Or accept it and let it complete with -errno. Never both.
//    - Every accepted tag comes back by reap() exactly once.
//    - reap() returns as soon as it has `min` completions, and blocks until the deadline otherwise;
//      Deadline::poll() means do not block, Deadline::never() means for as long as it takes.
//    - Nothing per operation allocates, prints or reads a clock. What is needed is made in the
//      constructor, for `depth` requests: the caller never has more in flight.
// 2. probe(): whether the driver can run here; if not, why, and what to do about it.
// 3. open(): makes a Context or throws SetupError, whose text names the cure.
// 4. The row: name, one line about it, and what it can do. Be modest: what is declared is used, and
//    what is not is never asked for. With `max_submitters = 1` only one thread at a time submits.
// 5. The exported function. The ABI version and the sizes beside it are filled in by driver.h and
//    checked when the object is loaded.
//
// To see that a new driver keeps the contract, run the conformance suite over it:
//
//   AIOSCOPE_TEST_DRIVER=$PWD/mine.so build/dev/bin/conformance_test --gtest_filter='*mine*'
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <vector>

#include "drivers/driver.h"

namespace {

using namespace aioscope;

constexpr std::uint64_t kDiskBytes = 16 << 20;

// 1. The context. A mutex makes it fit to be shared by any number of threads.
class RamdiskContext final : public Context {
 public:
  // The harness opens one of these per thread or one for all of them.
  explicit RamdiskContext(const ContextOptions& options) : disk_(kDiskBytes), done_(options.depth) {
    // A kernel driver would keep the descriptors. This one is not asked for real files: see the
    // row.
    for (const File& file : options.files) files_.push_back(file.kind);
  }

  SubmitResult submit(std::span<const Request> requests) override {
    const std::lock_guard lock(mutex_);
    SubmitResult result;
    for (const Request& request : requests) {
      if (tail_ - head_ == done_.size()) break;  // full: the caller reaps first
      if (request.opcode != Opcode::kNop && request.file >= files_.size()) {
        result.error = EBADF;  // refused: this request is not in flight
        break;
      }
      done_[tail_++ % done_.size()] = {.tag = request.tag, .result = transfer(request)};
      ++result.accepted;
    }
    if (result.accepted > 0) completed_.notify_all();
    return result;
  }

  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    std::unique_lock lock(mutex_);
    std::uint32_t count = take(out);
    // Waiting gives the mutex up, so that submitters and other reapers go on.
    while (count < min && wait(lock, deadline)) count += take(out.subspan(count));
    return {.count = count};
  }

  // Goes into the result file: whatever a reader must know about how this context was set up.
  std::string setup() const override {
    return "memory " + std::to_string(kDiskBytes >> 20) + " MiB, shared by a mutex";
  }

 private:
  // Bytes transferred, or -errno: as the kernel answers.
  std::int64_t transfer(const Request& request) {
    if (request.opcode == Opcode::kNop) return 0;
    if (request.buffer == nullptr) return -EFAULT;
    const bool read = request.opcode == Opcode::kRead;
    switch (files_[request.file]) {
      case FileKind::kNull:
        return read ? 0 : request.length;
      case FileKind::kZero:
        if (read) std::memset(request.buffer, 0, request.length);
        return request.length;
      default:
        return read ? read_disk(request) : write_disk(request);
    }
  }
  std::int64_t read_disk(const Request& request) const {
    if (request.offset >= disk_.size()) return 0;  // past the end
    const std::uint64_t left = disk_.size() - request.offset;
    const std::uint64_t size = std::min<std::uint64_t>(request.length, left);
    std::memcpy(request.buffer, disk_.data() + request.offset, size);
    return static_cast<std::int64_t>(size);
  }
  std::int64_t write_disk(const Request& request) {
    if (request.offset >= disk_.size()) return -ENOSPC;
    const std::uint64_t left = disk_.size() - request.offset;
    const std::uint64_t size = std::min<std::uint64_t>(request.length, left);
    std::memcpy(disk_.data() + request.offset, request.buffer, size);
    return static_cast<std::int64_t>(size);
  }

  // The oldest first.
  std::uint32_t take(std::span<Completion> out) {
    std::uint32_t count = 0;
    for (; count < out.size() && head_ != tail_; ++count)
      out[count] = done_[head_++ % done_.size()];
    return count;
  }

  // Whether there is something to take; false when the deadline has passed.
  bool wait(std::unique_lock<std::mutex>& lock, Deadline deadline) {
    const auto ready = [this] { return head_ != tail_; };
    if (deadline.is_poll()) return false;
    if (deadline.is_never()) {
      completed_.wait(lock, ready);
      return true;
    }
    // steady_clock is CLOCK_MONOTONIC.
    const std::chrono::steady_clock::time_point until{
        std::chrono::nanoseconds(deadline.monotonic_ns())};
    return completed_.wait_until(lock, until, ready);
  }

  std::vector<FileKind> files_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable completed_;
  std::vector<std::byte> disk_;
  std::vector<Completion> done_;  // a ring: those from head_ to tail_ wait to be reaped
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
};

// 2. A driver that needs a kernel feature, a device or a privilege says here what is missing.
Availability probe() { return {}; }

// 3.
std::unique_ptr<Context> open(const ContextOptions& options) {
  if (options.depth == 0) throw SetupError("ramdisk: a depth of 0; use a --depth of at least 1");
  return std::make_unique<RamdiskContext>(options);
}

// 4.
constexpr Driver kDrivers[] = {{
    .name = "ramdisk",
    .summary = "example of an external driver: a disk in memory behind one mutex",
    .capabilities = {.opcodes = kAllOpcodes,
                     .files = file_kind_bit(FileKind::kNull) | file_kind_bit(FileKind::kZero) |
                              file_kind_bit(FileKind::kDevice),
                     .completes_inline = true},
    .probe = probe,
    .open = open,
}};

}  // namespace

// 5.
extern "C" const aioscope::ExternalDrivers* aioscope_external_drivers() {
  static constexpr aioscope::ExternalDrivers kExternal{.drivers = kDrivers, .count = 1};
  return &kExternal;
}
