#include "bench/workload/injection.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "bench/measure/clock.h"

namespace aioscope {
namespace {

thread_local LockSiteCount injected_locks;

// Nothing but the CPU's time: each step needs the one before it.
[[gnu::noinline]] void spin(std::uint64_t steps) {
  std::uint64_t state = steps;
  for (std::uint64_t i = 0; i < steps; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(state));
  }
}

// The fastest of several tries was interrupted least.
double steps_per_ns() {
  static const double found = [] {
    constexpr std::uint64_t kSteps = 200'000;
    std::int64_t least_ns = INT64_MAX;
    for (int i = 0; i < 10; ++i) {
      const std::int64_t begin_ns = monotonic_ns();
      spin(kSteps);
      least_ns = std::min(least_ns, monotonic_ns() - begin_ns);
    }
    return double(kSteps) / double(std::max<std::int64_t>(least_ns, 1));
  }();
  return found;
}

class SlowedContext final : public Context {
 public:
  SlowedContext(std::unique_ptr<Context> inner, const Injection& injection)
      : inner_(std::move(inner)),
        injection_(injection),
        steps_(double(injection.delay_ns) * steps_per_ns()) {}

  SubmitResult submit(std::span<const Request> requests) override {
    SubmitResult result = inner_->submit(requests);
    const std::uint64_t calls =
        injection_.calls + std::uint64_t{injection_.calls_per_operation} * result.accepted;
    for (std::uint64_t i = 0; i < calls; ++i) syscall(SYS_getppid);
    result.system_calls += std::uint32_t(calls);
    const std::uint64_t turns = std::uint64_t{injection_.locks} * result.accepted;
    for (std::uint64_t i = 0; i < turns; ++i) take_lock();
    spin(std::uint64_t(steps_ * result.accepted));
    return result;
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    return inner_->reap(out, min, deadline);
  }
  CancelResult cancel(Tag tag) override { return inner_->cancel(tag); }
  std::string setup() const override { return inner_->setup(); }
  std::uint32_t service_threads() const override { return inner_->service_threads(); }

 private:
  void take_lock() {
    ++injected_locks.acquisitions;
    if (!mutex_.try_lock()) {
      ++injected_locks.contended;
      const std::int64_t begin_ns = monotonic_ns();
      mutex_.lock();
      const auto wait_ns = std::uint64_t(monotonic_ns() - begin_ns);
      injected_locks.wait_ns += wait_ns;
      injected_locks.waits.record(wait_ns);
    }
    mutex_.unlock();
  }

  const std::unique_ptr<Context> inner_;
  const Injection injection_;
  const double steps_;  // of spin(), per operation
  std::mutex mutex_;
};

}  // namespace

LockSiteCount injected_lock_count() { return injected_locks; }

std::unique_ptr<Context> inject(std::unique_ptr<Context> inner, const Injection& injection) {
  if (!injection.any()) return inner;
  return std::make_unique<SlowedContext>(std::move(inner), injection);
}

}  // namespace aioscope
