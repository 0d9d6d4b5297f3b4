// Work that a run adds to every driver on purpose, so that a gate can be shown a slowdown whose
// size is known.
#pragma once

#include <cstdint>
#include <memory>

#include "drivers/driver.h"

namespace aioscope {

struct Injection {
  std::int64_t delay_ns = 0;  // on the CPU, per operation
  std::uint32_t locks = 0;    // acquisitions per operation, of one lock for each context
  std::uint32_t calls = 0;    // system calls per submit call
  std::uint32_t calls_per_operation = 0;  // system calls

  bool any() const { return delay_ns > 0 || locks > 0 || calls > 0 || calls_per_operation > 0; }
};

// The name of the lock among those of the driver.
inline constexpr const char* kInjectedLockSite = "injected";

// Of the lock, by the calling thread, since it began.
LockSiteCount injected_lock_count();

// `inner` with the work added where it accepts requests; the same context when there is none.
std::unique_ptr<Context> inject(std::unique_ptr<Context> inner, const Injection& injection);

}  // namespace aioscope
