#include "bench/micro/kioctx/team.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "drivers/kioctx/barrier.h"
#include "drivers/kioctx/cacheline.h"

namespace aioscope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSpinsBeforeYield = 10'000;

cpu_set_t affinity_of_this_thread() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    throw std::runtime_error("sched_getaffinity: more CPUs than cpu_set_t holds");
  }
  return set;
}

// Pins the calling thread, and lets it go where it might before.
class Pinned {
 public:
  explicit Pinned(std::size_t cpu) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    sched_setaffinity(0, sizeof only, &only);
  }
  ~Pinned() { sched_setaffinity(0, sizeof before_, &before_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  const cpu_set_t before_ = affinity_of_this_thread();
};

std::vector<std::size_t> list_usable_cpus() {
  const cpu_set_t set = affinity_of_this_thread();
  std::vector<std::size_t> cpus;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// Threads that do rounds together. They spin for each other, so that they start within a fraction
// of a microsecond, and yield when that takes long, so that a busy machine is not stopped.
class Team {
 public:
  Team(std::size_t threads, const Part& part) : part_(part), members_(threads) {
    for (std::size_t i = 1; i < threads; ++i) {
      others_.emplace_back([this, i] {
        const Pinned pinned(cpus_[i % cpus_.size()]);
        while (take_part(i)) continue;
      });
    }
  }
  ~Team() {
    ended_.store(true, std::memory_order_relaxed);  // the arrival orders it
    take_part(0);
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  struct Round {
    double elapsed_s;
    std::uint64_t operations;
  };
  Round round() {
    take_part(0);
    Round round{0, 0};
    Clock::time_point begin = members_[0].begin;
    Clock::time_point end = members_[0].end;
    for (const Member& member : members_) {
      begin = std::min(begin, member.begin);
      end = std::max(end, member.end);
      round.operations += member.operations;
    }
    round.elapsed_s = std::chrono::duration<double>(end - begin).count();
    return round;
  }

 private:
  struct alignas(kioctx::kCacheline) Member {
    std::uint64_t meetings = 0;
    Clock::time_point begin, end;
    std::uint64_t operations = 0;
  };

  // All are here when it returns, and see what each did before.
  void meet(Member& member) {
    const std::uint64_t all = ++member.meetings * members_.size();
    // Release and acquire: pairs with the others' here.
    std::uint64_t here = arrivals_.fetch_add(1, std::memory_order_acq_rel) + 1;
    for (int spins = 0; here < all; ++spins) {
      if (spins < kSpinsBeforeYield) {
        kioctx::cpu_relax();
      } else {
        std::this_thread::yield();
      }
      here = arrivals_.load(std::memory_order_acquire);  // pairs: the fetch_add above
    }
  }

  // One round; false when there is none any more.
  bool take_part(std::size_t thread) {
    Member& member = members_[thread];
    meet(member);
    if (ended_.load(std::memory_order_relaxed)) return false;
    if (part_.prepare) part_.prepare(thread);
    meet(member);
    member.begin = Clock::now();
    member.operations = part_.work(thread);
    member.end = Clock::now();
    meet(member);
    return true;
  }

  const std::vector<std::size_t> cpus_ = list_usable_cpus();
  const Pinned pinned_{cpus_[0]};
  const Part& part_;
  std::vector<Member> members_;
  std::atomic<bool> ended_{false};
  alignas(kioctx::kCacheline) std::atomic<std::uint64_t> arrivals_{0};
  std::vector<std::jthread> others_;
};

}  // namespace

std::size_t usable_cpus() { return list_usable_cpus().size(); }

std::uint64_t run_rounds(benchmark::State& state, const Part& part) {
  const auto threads = static_cast<std::size_t>(state.range(0));
  Team team(threads, part);
  Team::Round total{0, 0};
  for (auto _ : state) {
    const Team::Round round = team.round();
    state.SetIterationTime(round.elapsed_s);
    total.elapsed_s += round.elapsed_s;
    total.operations += round.operations;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(total.operations));
  state.counters["op_ns"] =
      total.elapsed_s * 1e9 * static_cast<double>(threads) / static_cast<double>(total.operations);
  return total.operations;
}

void register_part(const std::string& name, void (*function)(benchmark::State&)) {
  benchmark::RegisterBenchmark(("kioctx/" + name).c_str(), function)
      ->ArgName("threads")
      ->DenseRange(1, static_cast<std::int64_t>(usable_cpus()))
      ->UseManualTime();
}

}  // namespace aioscope
