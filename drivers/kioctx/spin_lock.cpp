#include "drivers/kioctx/spin_lock.h"

#include <array>
#include <bit>

#include "drivers/kioctx/contended_wait.h"
#include "drivers/kioctx/futex.h"

namespace aioscope::kioctx {
namespace {

// About 2 us: longer than any critical section here, far shorter than a scheduling quantum.
constexpr int kSpins = 100;

}  // namespace

void SpinLock::lock_contended(LockSite site) {
  const ContendedWait contended(site);
  for (int spin = 0; spin < kSpins; ++spin) {
    cpu_relax();
    if (locked_.load(std::memory_order_relaxed) == 0 && try_lock_again()) return;
  }
  alignas(std::uint32_t) constexpr std::array<std::uint16_t, 2> kLockedAndParked{1, 1};
  for (;;) {
    parked_.store(1, std::memory_order_relaxed);
    smp_mb_rare();  // pairs with unlock
    if (try_lock_again()) return;
    futex_wait(this, std::bit_cast<std::uint32_t>(kLockedAndParked), kForever);
  }
}

void SpinLock::wake_one() {
  parked_.store(0, std::memory_order_relaxed);
  futex_wake(this, 1);
}

}  // namespace aioscope::kioctx
