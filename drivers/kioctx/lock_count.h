// Every acquisition of every lock, counted where it happens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace aioscope::kioctx {

// A lock and the place that takes it. Sites of ctx_lock come first: kCtxLockSites of them.
enum class LockSite : std::uint8_t {
  kCtxLockAllocBatch,  // v3.7: slots and list entries of up to 32 requests
  kCtxLockFreeBatch,   // v3.7: what remains of them
  kCtxLockSubmit,      // v3.7: is the context dead; start the request
  kCtxLockStarted,     // v3.7: taken again after the file operation
  kCtxLockPut,         // v3.7: drop the submitter's reference
  kCtxLockComplete,    // v3.7: the whole completion
  kCtxLockRetry,       // v3.7: kicks and the worker
  kCtxLockListed,      // series: a cancellable request enters or leaves active_reqs
  kCtxLockCancel,
  kCtxLockTeardown,
  kTail,          // series: the producers' lock, which is the tail itself
  kRingLock,      // reapers
  kWaitLock,      // sleepers and those who wake them
  kIoctxLock,     // the process's list of contexts
  kRequestDepot,  // magazines of free requests that travel between threads
  kFileQueue,     // requests on their way to the worker threads of a file
  kWorkLock,      // the retry worker's state
  kCount,
};
inline constexpr std::size_t kCtxLockSites = std::size_t(LockSite::kCtxLockTeardown) + 1;

struct LockCount {
  std::uint64_t acquisitions = 0;
  std::uint64_t contended = 0;  // of these, found taken
};
using LockCounts = std::array<LockCount, std::size_t(LockSite::kCount)>;

// Of the calling thread. No line of it is written by another thread.
inline constinit thread_local LockCounts lock_counts{};

inline LockCount& lock_count(LockSite site) { return lock_counts[std::size_t(site)]; }

// Acquisitions of ctx_lock by the calling thread, at all sites.
inline std::uint64_t ctx_lock_acquisitions() {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kCtxLockSites; ++i) sum += lock_counts[i].acquisitions;
  return sum;
}

}  // namespace aioscope::kioctx
