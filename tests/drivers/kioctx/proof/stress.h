// Submitters, reapers, a canceller, completion threads and destroyers on one context.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "drivers/kioctx/kioctx.h"
#include "tests/drivers/kioctx/pending_file.h"

namespace aioscope::kioctx {

class Stress {
 public:
  // Requests go to a file that completes them at once, or in other threads, where they may also be
  // cancellable.
  enum class Target { kNull, kPending, kCancellable };

  Stress(const StageCalls& calls, Target target);
  Stress(const Stress&) = delete;
  Stress& operator=(const Stress&) = delete;

  // Each says what went wrong, or nothing.
  //
  // `ops` requests, each to its end: an event, or the answer of io_cancel() in place of one. Gives
  // up when none has come for `lost_ns`. The context is left as it is, for a look at it.
  std::string each_ends_once(std::uint64_t ops, std::int64_t lost_ns);
  // Up to `ops` requests, and io_destroy() from two threads in the midst of them.
  std::string ends_in_use(std::uint64_t ops);

  AioContextId id() const { return id_; }
  void destroy();

 private:
  struct Fate {
    std::atomic<std::uint8_t> accepted{0};
    std::atomic<std::uint8_t> ends{0};
  };

  void start(std::uint64_t ops);
  void run(std::vector<std::thread>& threads, std::function<void()> work);
  static void join(std::vector<std::thread>& threads);
  void stop();

  // Threads.
  void submit_all(unsigned submitter);
  void reap_until_stopped(unsigned reaper);
  void cancel_until_stopped();
  void complete_until_stopped(unsigned completer);
  void end_of(const IoEvent& event);

  std::string judge(bool all_accepted) const;

  const StageCalls& calls_;
  const Target target_;
  PendingFile device_;
  FileTable files_;
  std::uint32_t file_ = 0;
  AioContextId id_ = 0;

  std::vector<Fate> fates_;  // by tag
  std::vector<std::thread> users_;
  std::vector<std::thread> completers_;
  std::uint64_t threads_started_ = 0;
  std::atomic<std::uint64_t> next_tag_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> strangers_{0};  // events that are nobody's
  std::atomic<unsigned> submitting_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> device_stops_{false};
};

}  // namespace aioscope::kioctx
