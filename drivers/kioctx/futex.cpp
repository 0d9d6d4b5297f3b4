#include "drivers/kioctx/futex.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "drivers/kioctx/counts.h"

namespace aioscope::kioctx {

int futex_wait(const void* word, std::uint32_t expected, std::int64_t until_ns) {
  ++system_calls;
  const timespec until{until_ns / 1'000'000'000, until_ns % 1'000'000'000};
  const long error =
      syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
              until_ns == kForever ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  return error == 0 ? 0 : -errno;
}

void futex_wake(const void* word, int count) {
  ++system_calls;
  ++counts.wakeups;
  syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
}

void yield_cpu() {
  ++system_calls;
  sched_yield();
}

}  // namespace aioscope::kioctx
