// Sleeping and waking.
#pragma once

#include <cstdint>

namespace aioscope::kioctx {

// System calls entered by the calling thread from this directory, except file I/O itself.
inline constinit thread_local std::uint64_t system_calls = 0;

inline constexpr std::int64_t kForever = INT64_MAX;

// Sleeps while the 32-bit word at `word` holds `expected`, until CLOCK_MONOTONIC `until_ns` or
// kForever. Returns 0 (woken, perhaps for nothing), -EAGAIN (it did not hold it), -ETIMEDOUT or
// -EINTR. Thread-safe; the word is only compared by the kernel.
int futex_wait(const void* word, std::uint32_t expected, std::int64_t until_ns);

// Wakes up to `count` sleepers; counted as a wake-up. The word is not read: it may be gone by now.
void futex_wake(const void* word, int count);

// Lets other threads that are ready have the CPU: sched_yield(2).
void yield_cpu();

}  // namespace aioscope::kioctx
