// What the engine counts of itself, exactly: every acquisition of every lock where it happens,
// every atomic read-modify-write on a shared line, those that did not get what they wanted
// included, every allocation and every wake-up.
//
// Kept per thread, so that counting writes no shared line; and counted behind an atomic rather than
// before it, which would wait for the store of the count: a fifth of v3.7's time. A count is an
// atomic only so that another thread may look at it; its own thread adds to it with a plain load
// and store. A build with AIOSCOPE_UNCOUNTED counts nothing, for measuring what counting costs.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "drivers/wait_histogram.h"

namespace aioscope::kioctx {

// A lock and the place that takes it. Sites of ctx_lock come first: kCtxLockSites of them.
enum class LockSite : std::uint8_t {
  kCtxLockAllocBatch,     // until no-batch-alloc: slots (and list entries) of up to 32 requests
  kCtxLockFreeBatch,      // until no-batch-alloc: what remains of them
  kCtxLockSubmit,         // until refcounting: is the context dead; v3.7 starts the request too
  kCtxLockStarted,        // v3.7: taken again after the file operation
  kCtxLockPut,            // until lockless-put: drop the submitter's reference
  kCtxLockComplete,       // until lazy-cancel: the whole completion
  kCtxLockRetry,          // v3.7: kicks and the worker
  kCtxLockListed,         // a cancellable request enters or leaves active_reqs
  kCtxLockCancel,         // io_cancel
  kCtxLockTeardown,       // the end of a context
  kCompletionLock,        // lazy-cancel until xchg-tail, and mainline: the producers' lock
  kCompletionLockRefill,  // mainline: a submitter looks for slots of reaped events
  kTail,                  // xchg-tail: the producers' lock, which is the tail itself
  kCpuRing,               // percpu-rings without rseq: the lock of one CPU's ring
  kRingLock,              // reapers
  kWaitLock,              // sleepers and those who wake them
  kIoctxLock,             // the process's list of contexts
  kRequestDepot,          // magazines of free requests that travel between threads
  kFileQueue,             // requests on their way to the worker threads of a file
  kDeviceQueue,           // requests on their way to a simulated device
  kWorkLock,              // the retry worker's state
  kCount,
};
inline constexpr std::size_t kLockSites = std::size_t(LockSite::kCount);
inline constexpr std::size_t kCtxLockSites = std::size_t(LockSite::kCtxLockTeardown) + 1;

// "ctx_lock/submit": the lock, and who takes it.
inline constexpr std::array<std::string_view, kLockSites> kLockSiteNames{
    "ctx_lock/alloc-batch",
    "ctx_lock/free-batch",
    "ctx_lock/submit",
    "ctx_lock/started",
    "ctx_lock/put",
    "ctx_lock/complete",
    "ctx_lock/retry",
    "ctx_lock/listed",
    "ctx_lock/cancel",
    "ctx_lock/teardown",
    "completion_lock/complete",
    "completion_lock/refill",
    "tail/complete",
    "cpu_ring/complete",
    "ring_lock/reap",
    "wait_lock",
    "ioctx_lock",
    "request_depot",
    "file_queue",
    "device_queue",
    "work_lock",
};

#if defined(AIOSCOPE_UNCOUNTED)
inline constexpr bool kCounted = false;
#else
inline constexpr bool kCounted = true;
#endif

// A number that its own thread raises and any thread may read. Not a read-modify-write.
class Count {
 public:
  void operator++() { *this += 1; }
  void operator+=(std::uint64_t n) {
    if constexpr (!kCounted) return;
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // Stands for its value, as std::atomic does. NOLINTNEXTLINE(google-explicit-constructor)
  operator std::uint64_t() const { return value_.load(std::memory_order_relaxed); }
  void reset() { value_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct LockCount {
  Count acquisitions;
  Count contended;  // of these, found taken
  Count wait_ns;    // from finding it taken to having it
};

struct Counts {
  std::array<LockCount, kLockSites> locks;
  // Of those of shared_rmw(), all but the one that each acquisition of a lock begins with.
  Count more_shared_rmw;
  Count allocations;  // requests and their memory: 1 each, and 1 more when the thread's cache is
                      // empty
  // Calls of futex(FUTEX_WAKE), for whomever: sleepers on events, parked waiters of locks, the
  // engine's own threads, the caller of io_destroy; and sleepers made runnable without one.
  Count wakeups;
  // Of each lock, by their length: a line of it is touched by a wait only.
  std::array<std::array<Count, WaitBuckets::kBuckets>, kLockSites> waits;

  // Atomic read-modify-writes of the engine on lines that other CPUs write too, those inside its
  // locks included: each try, for one that fails takes the line too. Per-CPU counters and a
  // request's own words (references, cancelling) are not shared lines; liburcu's are not counted.
  std::uint64_t shared_rmw() const {
    std::uint64_t sum = more_shared_rmw;
    for (const LockCount& lock : locks) sum += lock.acquisitions;
    return sum;
  }

  LockCount& at(LockSite site) { return locks[std::size_t(site)]; }
  const LockCount& at(LockSite site) const { return locks[std::size_t(site)]; }
  void reset();
};

// Of the calling thread, since it began. No line of it is written by another thread.
inline constinit thread_local Counts counts{};

inline LockCount& lock_count(LockSite site) { return counts.at(site); }
// One that is not the first try at a lock.
inline void count_shared_rmw(std::uint64_t n = 1) { counts.more_shared_rmw += n; }

// Acquisitions of ctx_lock by the calling thread, at all sites.
inline std::uint64_t ctx_lock_acquisitions() {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kCtxLockSites; ++i) sum += counts.locks[i].acquisitions;
  return sum;
}

inline void Counts::reset() {
  for (LockCount& lock : locks) {
    lock.acquisitions.reset();
    lock.contended.reset();
    lock.wait_ns.reset();
  }
  more_shared_rmw.reset();
  allocations.reset();
  wakeups.reset();
  for (auto& lock : waits) {
    for (Count& bucket : lock) bucket.reset();
  }
}

// On the stack of a thread that belongs to the engine (a worker, a completion CPU): while it
// lives, and after it, what the thread counts is part of service_counts().
class ServiceThread {
 public:
  ServiceThread();
  ~ServiceThread();
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;
};

// Sums over the engine's own threads, those that have ended included. Thread-safe; a thread that
// runs meanwhile may be caught between two counts.
struct CountSums {
  struct Lock {
    std::uint64_t acquisitions = 0;
    std::uint64_t contended = 0;
    std::uint64_t wait_ns = 0;
    WaitHistogram waits;
  };
  std::array<Lock, kLockSites> locks{};
  std::uint64_t shared_rmw = 0;
  std::uint64_t allocations = 0;
  std::uint64_t wakeups = 0;

  void add(const Counts& of);
};
CountSums service_counts();

}  // namespace aioscope::kioctx
