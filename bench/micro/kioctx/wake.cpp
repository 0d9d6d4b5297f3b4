// Waking those who wait for events.
//
//   none/...    nobody waits: what each completion pays for looking. An operation is one look.
//     barrier     the queue after a full barrier (completion_lock)
//     xchg        the queue; the barrier was the tail's exchange (xchg-tail), and is not in here
//     min_nr      one number after a full barrier (percpu-rings)
//   queued/...  one who waits and does not sleep yet: he queues himself, is made runnable and taken
//               off. No system call; an operation is all three.
//     plain, min_nr   the queue, and the one that knows the least number wanted
//   asleep/...  a thread that sleeps in the kernel is woken. An operation is the waker's call;
//               sleeper_runs_ns: from its beginning until the sleeper is back from his wait.
#include <atomic>
#include <chrono>
#include <thread>

#include "bench/micro/kioctx/context.h"
#include "bench/micro/kioctx/parts.h"
#include "bench/micro/kioctx/team.h"

namespace aioscope {
namespace {

using Clock = std::chrono::steady_clock;
using kioctx::OpenContext;
using kioctx::Stage;
using kioctx::TaskState;
using kioctx::WaitQueueEntry;

constexpr std::uint32_t kWakeRingEntries = 128;

// From the sleeper's announcement that he is about to enter the kernel until he surely has.
constexpr std::chrono::microseconds kFallingAsleep{30};
constexpr std::uint64_t kWakesInARound = 100;

// What a completion knows when it looks for sleepers.
template <Stage S>
typename kioctx::KioctxParts<S>::Posted one_posted(kioctx::Kioctx<S>& ctx) {
  if constexpr (S.percpu_rings) {
    const kioctx::CpuEvent posted{};
    const kioctx::CpuRing* ring = ctx.rings.push({&posted, 1});
    kioctx::IoEvent event;
    ctx.rings.pop({&event, 1});  // it had no slot
    return ring;
  } else {
    return 1;
  }
}

template <Stage S>
void wake_none(benchmark::State& state) {
  const OpenContext<S> ctx(kWakeRingEntries);
  std::atomic<std::uint64_t> woken{0};
  run_rounds(state, {.prepare = {}, .work = [&](std::size_t) {
                       const std::uint64_t before = kioctx::counts.wakeups;
                       const auto posted = one_posted(*ctx);
                       for (std::uint64_t n = 0; n < kRoundOps; ++n) {
                         kioctx::KioctxParts<S>::wake_reapers(*ctx, posted);
                         benchmark::ClobberMemory();
                       }
                       woken.fetch_add(kioctx::counts.wakeups - before, std::memory_order_relaxed);
                       return kRoundOps;
                     }});
  if (woken.load(std::memory_order_relaxed) != 0) state.SkipWithError("woke somebody, of none");
}

// One queue for each thread, as two that use one would wake each other.
template <class Queue>
void wake_queued(benchmark::State& state) {
  std::atomic<std::uint64_t> missed{0};
  run_rounds(state, {.prepare = {}, .work = [&](std::size_t) {
                       alignas(kioctx::kCacheline) Queue queue;
                       WaitQueueEntry entry(true);
                       const std::uint64_t before = kioctx::counts.wakeups;
                       for (std::uint64_t n = 0; n < kRoundOps; ++n) {
                         queue.prepare_to_wait(entry, 1);
                         queue.wake_up_for(1);
                         queue.finish_wait(entry);
                         benchmark::ClobberMemory();
                       }
                       const std::uint64_t woken = kioctx::counts.wakeups - before;
                       missed.fetch_add(kRoundOps - woken, std::memory_order_relaxed);
                       return kRoundOps;
                     }});
  if (missed.load(std::memory_order_relaxed) != 0) state.SkipWithError("a sleeper was not woken");
}

// A thread that sleeps until it is called, over and over.
template <class Queue>
class Sleeper {
 public:
  Sleeper() : thread_([this] { sleep_and_wake(); }) {}
  ~Sleeper() {
    ended_.store(true, std::memory_order_relaxed);
    call();
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  void wait_until_asleep() const {
    while (entry_.state.load(std::memory_order_relaxed) != TaskState::kSleeping) {
      std::this_thread::yield();
    }
    const auto until = Clock::now() + kFallingAsleep;
    while (Clock::now() < until) std::this_thread::yield();
  }
  void call() {
    calls_.fetch_add(1, std::memory_order_seq_cst);  // pairs: prepare_to_wait
    queue_.wake_up_for(1);
  }
  // When it came back from its wait after the last call().
  Clock::time_point wait_until_back() const {
    const std::uint64_t calls = calls_.load(std::memory_order_relaxed);
    // Acquire: pairs with sleep_and_wake().
    while (answers_.load(std::memory_order_acquire) != calls) std::this_thread::yield();
    return back_;
  }

 private:
  void sleep_and_wake() {
    for (std::uint64_t turn = 1; !ended_.load(std::memory_order_relaxed); ++turn) {
      for (;;) {
        queue_.prepare_to_wait(entry_, 1);
        // Acquire: pairs with call().
        if (calls_.load(std::memory_order_acquire) >= turn) break;
        kioctx::schedule_until(entry_, kioctx::kForever);
      }
      back_ = Clock::now();
      queue_.finish_wait(entry_);
      answers_.store(turn, std::memory_order_release);  // pairs with wait_until_back
    }
  }

  alignas(kioctx::kCacheline) Queue queue_;
  alignas(kioctx::kCacheline) WaitQueueEntry entry_{true};
  alignas(kioctx::kCacheline) std::atomic<std::uint64_t> calls_{0};
  std::atomic<bool> ended_{false};
  alignas(kioctx::kCacheline) std::atomic<std::uint64_t> answers_{0};
  Clock::time_point back_;
  std::jthread thread_;  // last: it uses the others
};

template <class Queue>
void wake_asleep(benchmark::State& state) {
  Clock::duration calling{0};
  Clock::duration running{0};
  Sleeper<Queue> sleeper;
  const std::uint64_t before = kioctx::counts.wakeups;
  for (auto _ : state) {
    Clock::duration in_round{0};
    for (std::uint64_t n = 0; n < kWakesInARound; ++n) {
      sleeper.wait_until_asleep();
      const auto begin = Clock::now();
      sleeper.call();
      in_round += Clock::now() - begin;
      running += sleeper.wait_until_back() - begin;
    }
    state.SetIterationTime(std::chrono::duration<double>(in_round).count());
    calling += in_round;
  }
  const auto wakes = static_cast<std::uint64_t>(state.iterations()) * kWakesInARound;
  if (kioctx::counts.wakeups - before < wakes) state.SkipWithError("a call found nobody asleep");
  const auto each_ns = [&](Clock::duration sum) {
    return std::chrono::duration<double, std::nano>(sum).count() / static_cast<double>(wakes);
  };
  state.SetItemsProcessed(static_cast<std::int64_t>(wakes));
  state.counters["op_ns"] = each_ns(calling);
  state.counters["sleeper_runs_ns"] = each_ns(running);
}

void register_asleep(const std::string& name, void (*function)(benchmark::State&)) {
  benchmark::RegisterBenchmark(("kioctx/wake/asleep/" + name).c_str(), function)->UseManualTime();
}

}  // namespace

void register_wake_benchmarks() {
  register_part("wake/none/barrier", wake_none<kioctx::stage_named("series-without-xchg-tail")>);
  register_part("wake/none/xchg", wake_none<kioctx::kStageSeries>);
  register_part("wake/none/min_nr", wake_none<kioctx::kStagePercpuRings>);
  register_part("wake/queued/plain", wake_queued<kioctx::WaitQueueHead>);
  register_part("wake/queued/min_nr", wake_queued<kioctx::MinWaitQueueHead>);
  register_asleep("plain", wake_asleep<kioctx::WaitQueueHead>);
  register_asleep("min_nr", wake_asleep<kioctx::MinWaitQueueHead>);
}

}  // namespace aioscope
