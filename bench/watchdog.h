// Sees that a driver does not hang: by what comes back, and by what does not return.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "bench/workload/meter.h"

namespace aioscope {

// Told what does not return; ends the process, since a thread that hangs cannot be stopped. It may
// be called by another thread than the one that waits.
using OnHang = std::function<void(std::string_view what)>;

// Calls `function` and returns what it does. When that takes longer than `limit_ns`, a thread that
// is there only meanwhile calls `on_hang(what)`. Without a thread to be had nobody watches.
template <typename Function>
auto watched(std::int64_t limit_ns, std::string_view what, const OnHang& on_hang,
             Function&& function) {
  class Guard {
   public:
    Guard(std::int64_t limit_ns, std::string_view what, const OnHang& on_hang) {
      try {
        thread_ = std::thread([this, limit_ns, what, &on_hang] {
          std::unique_lock lock(mutex_);
          const std::chrono::nanoseconds limit(limit_ns);
          if (!changed_.wait_for(lock, limit, [this] { return returned_; })) on_hang(what);
        });
      } catch (const std::system_error&) {
        // The limit of threads is reached, which the row itself will say where it matters.
      }
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      {
        const std::lock_guard lock(mutex_);
        returned_ = true;
      }
      changed_.notify_all();
      if (thread_.joinable()) thread_.join();
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool returned_ = false;  // guarded by mutex_
    std::thread thread_;
  };
  const Guard guard(limit_ns, what, on_hang);
  return function();
}

// Sees that operations keep coming back.
class Watchdog {
 public:
  // What there is to wait for.
  enum class Wait {
    kRequests,  // that are in flight; without any, a driver may be idle
    kEnd,       // of the threads, or of a number of operations: it must come in any case
  };

  Watchdog(const std::vector<std::unique_ptr<Meter>>& meters, std::int64_t limit_ns)
      : meters_(meters), limit_ns_(limit_ns) {}

  // False: none has come back for `limit_ns`, though it was to be expected.
  bool look(std::int64_t now_ns, Wait wait) {
    const std::uint64_t now_finished = finished();
    const bool idle = wait == Wait::kRequests && started() == now_finished;
    if (now_finished != last_finished_ || idle || since_ns_ == 0) {
      last_finished_ = now_finished;
      since_ns_ = now_ns;
    }
    return now_ns - since_ns_ < limit_ns_;
  }
  // Operations.
  std::uint64_t finished() const {
    std::uint64_t total = 0;
    for (const auto& meter : meters_) total += meter->finished();
    return total;
  }
  std::uint64_t started() const {
    std::uint64_t total = 0;
    for (const auto& meter : meters_) total += meter->started();
    return total;
  }

 private:
  const std::vector<std::unique_ptr<Meter>>& meters_;
  const std::int64_t limit_ns_;
  std::uint64_t last_finished_ = 0;
  std::int64_t since_ns_ = 0;
};

}  // namespace aioscope
