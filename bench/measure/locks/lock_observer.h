// Sees what threads wait for locks in the measured window: in the kernel, and asleep on futexes.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "bench/measure/locks/lock_waits.h"
#include "bench/measure/locks/wait_tracer.h"
#include "bench/measure/usage.h"

namespace aioscope {

// The function that took the lock, of a stack as the kernel writes it; and the layer of the profile
// that the wait belongs to.
struct NamedSite {
  std::string function;
  std::string layer;
};
using WaitSiteNamer = std::function<NamedSite(std::span<const std::uint64_t>)>;

// The tracepoints are on from construction to destruction, which makes every wait of the machine a
// little slower; records come between start() and disable() or stop(), and are taken by a thread
// of the observer that wakes every few milliseconds. Used by one thread.
class LockObserver {
 public:
  explicit LockObserver(std::span<const pid_t> threads);
  ~LockObserver();
  LockObserver(const LockObserver&) = delete;
  LockObserver& operator=(const LockObserver&) = delete;

  void start();
  void disable();  // at once: no records from here on
  void stop();
  // The thread that takes the records, which exists until stop(), and what it has used since
  // start().
  pid_t own_thread() const { return own_thread_; }
  Usage own_usage() const;

  // After stop(). `operations` of the same window.
  LockWaits kernel_locks(const WaitSiteNamer& name, std::uint64_t operations) const;
  LockWaits futex_waits(const WaitSiteNamer& name, std::uint64_t operations) const;

 private:
  enum class State : std::uint8_t { kReady, kTracing, kStopped };
  void drain_until_stopped();
  void enter(State state);

  WaitTracer locks_;
  WaitTracer futexes_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  State state_ = State::kReady;  // guarded by mutex_
  Usage usage_;                  // guarded by mutex_
  pid_t own_thread_ = 0;         // does not change once the constructor is through
  std::thread thread_;
};

// What recording its begin has made each wait of a site longer, in the order of log.sites(). The
// kernel writes the record, with its stack, between the time stamp and the wait: about 2 us, many
// times a spin lock's wait. The shortest of many waits is taken to have been nothing else, if it is
// that short; elsewhere the shortest of all waits.
std::vector<std::uint64_t> recording_costs_ns(const WaitLog& log);

// The sites of `log` by name and kind, the longest waits in all first; without recording_costs_ns.
std::vector<WaitSite> wait_sites(const WaitLog& log, WaitKind kind, const WaitSiteNamer& name);

}  // namespace aioscope
