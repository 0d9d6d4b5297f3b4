// Puts waits together from the begins and ends that the kernel tells of.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/measure/histogram.h"

namespace aioscope {

// What the flags of the tracepoint lock:contention_begin stand for: "spin", "rwlock read",
// "rwlock write", "rwsem read", "rwsem write", "mutex", "rtmutex", "percpu read", "percpu write",
// "semaphore".
std::string_view lock_kind(std::uint32_t flags);

// One user at a time. Threads are told apart by numbers from 0.
class WaitLog {
 public:
  explicit WaitLog(std::size_t threads) : threads_(threads) {}

  // `stack` as the kernel writes it. A begin for a lock that the thread already waits for is a
  // phase of the same wait: a mutex that stops spinning and sleeps.
  void begin(std::size_t thread, std::int64_t now_ns, std::uint64_t lock, std::uint32_t flags,
             std::span<const std::uint64_t> stack);
  // Of the innermost wait for that lock; one that began before the log is not counted.
  void end(std::size_t thread, std::int64_t now_ns, std::uint64_t lock);
  // Records of the thread were lost: what it waits for is not known any more.
  void forget(std::size_t thread) { threads_[thread].clear(); }

  struct Site {
    std::vector<std::uint64_t> stack;  // of the first wait; empty for the rest
    std::uint32_t flags = 0;
    std::uint64_t contended = 0;
    std::uint64_t wait_ns = 0;
    LatencyHistogram waits;
  };
  // Of each stack and kind; when there are too many, all further ones together in the last.
  const std::vector<Site>& sites() const { return sites_; }
  std::uint64_t unfinished() const;

 private:
  static constexpr std::size_t kMostSites = 4096;  // 20 kB each
  static constexpr std::size_t kDeepest = 16;      // waits of one thread within each other

  struct Open {
    std::uint64_t lock;
    std::int64_t begin_ns;
    std::uint32_t site;
  };

  std::uint32_t site_of(std::uint32_t flags, std::span<const std::uint64_t> stack);

  std::vector<std::vector<Open>> threads_;  // innermost last
  std::vector<Site> sites_;
  std::unordered_map<std::uint64_t, std::uint32_t> site_by_hash_;
};

}  // namespace aioscope
