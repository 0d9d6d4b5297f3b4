// What taking and dropping a lock costs, alone and against other threads.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "drivers/kioctx/spin_lock.h"

namespace aioscope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCacheline = 64;
constexpr std::uint64_t kAcquisitionsPerThread = 100'000;

// The lock of kioctx, with the counting that it does for every acquisition.
class KioctxLock {
 public:
  void lock() { lock_.lock(kioctx::LockSite::kCtxLockSubmit); }
  void unlock() { lock_.unlock(); }

 private:
  kioctx::SpinLock lock_;
};

template <typename Lock>
struct Guarded {
  alignas(kCacheline) Lock lock;
  alignas(kCacheline) std::uint64_t count = 0;  // guarded by lock
};

template <typename Lock>
void uncontended(benchmark::State& state) {
  Guarded<Lock> guarded;
  for (auto _ : state) {
    const std::lock_guard guard(guarded.lock);
    benchmark::DoNotOptimize(++guarded.count);
  }
  state.SetItemsProcessed(state.iterations());
}

// Starts `threads` threads that each take the lock kAcquisitionsPerThread times; from the moment
// all are there until the last one is done.
template <typename Lock>
Clock::duration contend(Guarded<Lock>& guarded, std::size_t threads) {
  std::barrier start(static_cast<std::ptrdiff_t>(threads));
  std::vector<Clock::time_point> begin(threads), end(threads);
  {
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        start.arrive_and_wait();
        begin[i] = Clock::now();
        for (std::uint64_t n = 0; n < kAcquisitionsPerThread; ++n) {
          const std::lock_guard guard(guarded.lock);
          benchmark::DoNotOptimize(++guarded.count);
        }
        end[i] = Clock::now();
      });
    }
  }
  return *std::ranges::max_element(end) - *std::ranges::min_element(begin);
}

// Real time is the wall time of all threads together over one batch of acquisitions; the rate and
// `ns_per_acquisition` count every thread's.
template <typename Lock>
void contended(benchmark::State& state) {
  const auto threads = static_cast<std::size_t>(state.range(0));
  Guarded<Lock> guarded;
  double total_s = 0;
  for (auto _ : state) {
    const double elapsed_s = std::chrono::duration<double>(contend(guarded, threads)).count();
    state.SetIterationTime(elapsed_s);
    total_s += elapsed_s;
  }
  const auto acquisitions =
      static_cast<std::uint64_t>(state.iterations()) * threads * kAcquisitionsPerThread;
  if (guarded.count != acquisitions) state.SkipWithError("the lock does not exclude");
  state.SetItemsProcessed(static_cast<std::int64_t>(acquisitions));
  state.counters["ns_per_acquisition"] = total_s * 1e9 / static_cast<double>(acquisitions);
}

BENCHMARK(uncontended<std::mutex>)->Name("lock/std_mutex/uncontended");
BENCHMARK(contended<std::mutex>)
    ->Name("lock/std_mutex/contended")
    ->ArgName("threads")
    ->Arg(2)
    ->Arg(4)
    ->UseManualTime();
BENCHMARK(uncontended<KioctxLock>)->Name("lock/kioctx_spin_lock/uncontended");
BENCHMARK(contended<KioctxLock>)
    ->Name("lock/kioctx_spin_lock/contended")
    ->ArgName("threads")
    ->Arg(2)
    ->Arg(4)
    ->UseManualTime();

}  // namespace
}  // namespace aioscope
