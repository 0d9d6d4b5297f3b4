#include "drivers/null/null_driver.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace aioscope {
namespace {

constexpr std::size_t kCacheline = 64;

// Completions on their way from one submitting thread to the reaper; single producer, single
// consumer. A batch is published with one store of `tail_`, and consumed with one store of `head_`.
//
//   producer: entries, then tail_ (release)   ->  consumer: tail_ (acquire), then entries
//   consumer: entries read, then head_ (release) -> producer: head_ (acquire), then reuse
class CompletionRing {
 public:
  explicit CompletionRing(std::uint32_t depth)
      : mask_(std::bit_ceil(depth) - 1), capacity_(depth), entries_(mask_ + 1) {}

  std::uint32_t push_spsc(std::span<const Request> requests, std::span<const FileKind> files) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail + requests.size() - seen_head_ > capacity_) {
      seen_head_ = head_.load(std::memory_order_acquire);  // pairs with pop_spsc
    }
    const std::size_t room = capacity_ - (tail - seen_head_);
    const auto count = static_cast<std::uint32_t>(std::min(room, requests.size()));
    for (std::uint32_t i = 0; i < count; ++i) {
      entries_[(tail + i) & mask_] = {requests[i].tag, result_of(requests[i], files)};
    }
    tail_.store(tail + count, std::memory_order_release);  // pairs with pop_spsc
    return count;
  }

  std::uint32_t pop_spsc(std::span<Completion> out) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == seen_tail_) {
      seen_tail_ = tail_.load(std::memory_order_acquire);  // pairs with push_spsc
    }
    const auto count =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(seen_tail_ - head, out.size()));
    for (std::uint32_t i = 0; i < count; ++i) out[i] = entries_[(head + i) & mask_];
    if (count > 0) head_.store(head + count, std::memory_order_release);  // pairs with push_spsc
    return count;
  }

 private:
  static std::int64_t result_of(const Request& request, std::span<const FileKind> files) {
    if (request.opcode == Opcode::kNop) return 0;
    const bool null_read = request.opcode == Opcode::kRead && request.file < files.size() &&
                           files[request.file] == FileKind::kNull;
    return null_read ? 0 : request.length;
  }

  const std::uint64_t mask_;
  const std::uint32_t capacity_;
  std::vector<Completion> entries_;
  // Grouped by writer: a producer and a consumer never write the same line.
  alignas(kCacheline) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t seen_head_ = 0;
  alignas(kCacheline) std::atomic<std::uint64_t> head_{0};
  std::uint64_t seen_tail_ = 0;
};

std::vector<FileKind> kinds_of(std::span<const File> files) {
  std::vector<FileKind> kinds;
  for (const File& file : files) kinds.push_back(file.kind);
  return kinds;
}

// One thread submits and reaps: nothing to wait for, since everything completes at once.
class PrivateNullContext final : public Context {
 public:
  explicit PrivateNullContext(const ContextOptions& options)
      : files_(kinds_of(options.files)), ring_(options.depth) {}

  SubmitResult submit(std::span<const Request> requests) override {
    return {.accepted = ring_.push_spsc(requests, files_)};
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    const ReapResult result{.count = ring_.pop_spsc(out)};
    if (result.count < min) sleep_until(deadline);
    return result;
  }
  std::string setup() const override { return "private"; }

 private:
  // Only the thread that is here could submit more, so that nothing can come before the deadline.
  static void sleep_until(Deadline deadline) {
    if (deadline.is_poll() || deadline.is_never()) return;
    const timespec until{deadline.monotonic_ns() / 1'000'000'000,
                         deadline.monotonic_ns() % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  }

  const std::vector<FileKind> files_;
  CompletionRing ring_;
};

// One ring per submitting thread, collected by the reapers in turn under a lock of theirs.
// Submitters write no line that another submitter writes.
class SharedNullContext final : public Context {
 public:
  explicit SharedNullContext(const ContextOptions& options)
      : id_(next_id_.fetch_add(1, std::memory_order_relaxed)), files_(kinds_of(options.files)) {
    for (std::uint32_t i = 0; i < options.submitters; ++i) {
      rings_.push_back(std::make_unique<CompletionRing>(options.depth));
    }
  }

  SubmitResult submit(std::span<const Request> requests) override {
    CompletionRing* ring = ring_of_this_thread();
    if (ring == nullptr) return {.error = EUSERS};  // more threads than were asked for
    const SubmitResult result{.accepted = ring->push_spsc(requests, files_)};
    // The push above and the reaper's last look at the rings are ordered against the flag by a full
    // fence on both sides: either the reaper sees the push, or we see that it waits.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_relaxed) > 0) {
      const std::lock_guard lock(wait_mutex_);
      wait_condition_.notify_one();
    }
    return result;
  }

  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    std::uint32_t count = collect(out);
    while (count < min && !deadline.is_poll()) {
      // Mostly there is more by then, and neither side enters the kernel to sleep or to wake.
      sched_yield();
      count += collect(out.subspan(count));
      if (count >= min) break;
      std::unique_lock lock(wait_mutex_);
      waiting_.fetch_add(1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with submit
      const std::uint32_t more = collect(out.subspan(count));
      bool timed_out = false;
      if (more == 0) timed_out = !wait(lock, deadline);
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      count += more;
      if (timed_out) {
        lock.unlock();
        return {.count = count + collect(out.subspan(count))};
      }
    }
    return {.count = count};
  }

  std::string setup() const override {
    return "shared submitters=" + std::to_string(rings_.size());
  }

 private:
  bool wait(std::unique_lock<std::mutex>& lock, Deadline deadline) {
    if (deadline.is_never()) {
      wait_condition_.wait(lock);
      return true;
    }
    const std::chrono::steady_clock::time_point until{
        std::chrono::nanoseconds(deadline.monotonic_ns())};
    return wait_condition_.wait_until(lock, until) == std::cv_status::no_timeout;
  }

  // Starts at another ring each time, so that no submitter is preferred.
  std::uint32_t collect(std::span<Completion> out) {
    const std::lock_guard lock(reap_mutex_);
    std::uint32_t count = 0;
    const std::size_t first = next_ring_++ % rings_.size();
    for (std::size_t i = 0; i < rings_.size() && count < out.size(); ++i) {
      count += rings_[(first + i) % rings_.size()]->pop_spsc(out.subspan(count));
    }
    return count;
  }

  // The rings are handed out to threads in the order of their first submit. A thread remembers its
  // ring of the last context it used; `id_` is never reused, so that a stale memory cannot match.
  CompletionRing* ring_of_this_thread() {
    struct Memory {
      std::uint64_t id = 0;
      CompletionRing* ring = nullptr;
    };
    thread_local Memory last;
    if (last.id == id_) return last.ring;
    const std::lock_guard lock(owner_mutex_);
    const pthread_t self = pthread_self();
    for (std::size_t i = 0; i < owners_.size(); ++i) {
      if (owners_[i] == self) return (last = {id_, rings_[i].get()}).ring;
    }
    if (owners_.size() == rings_.size()) return nullptr;
    owners_.push_back(self);
    return (last = {id_, rings_[owners_.size() - 1].get()}).ring;
  }

  static inline std::atomic<std::uint64_t> next_id_{1};
  const std::uint64_t id_;
  const std::vector<FileKind> files_;
  std::vector<std::unique_ptr<CompletionRing>> rings_;

  std::mutex owner_mutex_;
  std::vector<pthread_t> owners_;  // guarded by owner_mutex_

  alignas(kCacheline) std::mutex reap_mutex_;
  std::size_t next_ring_ = 0;  // guarded by reap_mutex_

  alignas(kCacheline) std::atomic<int> waiting_{0};
  std::mutex wait_mutex_;
  std::condition_variable wait_condition_;
};

std::unique_ptr<Context> open(const ContextOptions& options) {
  if (options.depth == 0) throw SetupError("null: depth is 0; ask for at least 1");
  if (options.single_thread) return std::make_unique<PrivateNullContext>(options);
  return std::make_unique<SharedNullContext>(options);
}

constexpr Driver kNullDrivers[] = {{
    .name = "null",
    .summary = "completes everything at once and does no I/O: the price of the harness",
    .capabilities = {.opcodes = kAllOpcodes,
                     .files = kKernelFiles | file_kind_bit(FileKind::kDevice),
                     .transfers_data = false,
                     .completes_inline = true},
    .probe = [] { return Availability{}; },
    .open = open,
}};

}  // namespace

std::span<const Driver> null_drivers() { return kNullDrivers; }

}  // namespace aioscope
