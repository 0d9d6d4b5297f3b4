// The threads of a repetition, from the runner's side.
#pragma once

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

#include "bench/runner.h"
#include "bench/workload/rig.h"

namespace aioscope {

// Started together, joined together.
class Crew {
 public:
  Crew(Rig& rig, const RunSettings& settings) : rig_(rig), settings_(settings) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  // Returns when every thread is ready for the load, or one has failed.
  void start() {
    std::size_t count = rig_.layout.threads.size();
    tids_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      try {
        threads_.emplace_back([this, i] { body(static_cast<std::uint32_t>(i)); });
      } catch (const std::system_error& error) {
        rig_.control.fail(
            std::make_exception_ptr(RunError(fmt::format(
                "thread {} of {} cannot be started: {}; lower --submitters, or raise ulimit -u, "
                "ulimit -v or the cgroup's pids.max",
                i + 1, count, std::strerror(error.code().value())))),
            Phase::kAbandoned);
        count = i;
      }
    }
    std::unique_lock lock(mutex_);
    // That is the harness's own work, and takes as long as there is memory.
    changed_.wait(lock, [&] { return touched_ == count; });
    ready_in_time_ = changed_.wait_for(lock, std::chrono::nanoseconds(settings_.watchdog_ns),
                                       [&] { return ready_ == count; });
  }
  // False: a thread hangs while it opens its context.
  bool ready_in_time() const { return ready_in_time_; }

  // False: some did not end in time.
  bool wait_until_finished(std::int64_t timeout_ns) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns),
                             [&] { return finished_ == threads_.size(); });
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
  }
  std::span<const pid_t> tids() const { return tids_; }

 private:
  void body(std::uint32_t index) {
    tids_[index] = gettid();
    // Sleeps of the open loop end when they should, not up to 50 us later.
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    guarded([&] {
      pin(index);
      touch_memory_of(rig_, index);
    });
    note(touched_);
    guarded([&] {
      if (rig_.control.phase() != Phase::kAbandoned) open_private_context(rig_, index);
    });
    note(ready_);
    wait_for_load();
    guarded([&] {
      if (rig_.control.phase() != Phase::kAbandoned) run_thread(rig_, index);
    });
    rig_.meters[index]->observe(Phase::kDraining);
    note(finished_);
  }

  template <typename Function>
  void guarded(Function&& function) {
    try {
      function();
    } catch (...) {
      rig_.control.fail(std::current_exception(), Phase::kAbandoned);
    }
  }
  void pin(std::uint32_t index) const {
    if (settings_.cpus.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    const int cpu = settings_.cpus[index % settings_.cpus.size()];
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
      throw RunError(fmt::format("thread {} cannot be pinned to CPU {}: {}; see `aioscope doctor`",
                                 index, cpu, std::strerror(errno)));
    }
  }
  void note(std::size_t& counter) {
    const std::lock_guard lock(mutex_);
    ++counter;
    changed_.notify_all();
  }
  void wait_for_load() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return rig_.control.phase() != Phase::kStarting; });
  }

 public:
  void release(Phase phase) {
    const std::lock_guard lock(mutex_);
    rig_.control.enter(phase);
    changed_.notify_all();
  }

 private:
  Rig& rig_;
  const RunSettings& settings_;
  std::vector<std::thread> threads_;
  std::vector<pid_t> tids_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_in_time_ = true;
  std::size_t touched_ = 0;   // guarded by mutex_
  std::size_t ready_ = 0;     // guarded by mutex_
  std::size_t finished_ = 0;  // guarded by mutex_
};

}  // namespace aioscope
