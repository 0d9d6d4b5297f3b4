#include "drivers/kioctx/spin_lock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "drivers/kioctx/futex.h"

namespace aioscope::kioctx {
namespace {

// More threads than CPUs, so that holders are preempted and waiters park. A lost wake-up would
// hang.
TEST(SpinLock, LetsOneInAtATime) {
  SpinLock lock;
  std::uint64_t guarded = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 30'000; ++n) {
        const SpinLockGuard guard(lock, LockSite::kRingLock);
        ++guarded;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(guarded, 8u * 30'000);
}

// Counted of the length `wait_ns`.
std::uint64_t waits_of(LockSite site, std::uint64_t wait_ns) {
  return counts.waits[std::size_t(site)][WaitBuckets::bucket_of(wait_ns)];
}

TEST(SpinLock, CountsAcquisitionsAtTheirSite) {
  SpinLock lock;
  counts.reset();
  for (int i = 0; i < 3; ++i) const SpinLockGuard guard(lock, LockSite::kWaitLock);
  EXPECT_EQ(lock_count(LockSite::kWaitLock).acquisitions, 3u);
  EXPECT_EQ(lock_count(LockSite::kWaitLock).contended, 0u);
  EXPECT_EQ(lock_count(LockSite::kRingLock).acquisitions, 0u);
  EXPECT_EQ(waits_of(LockSite::kWaitLock, 0), 0u);
  EXPECT_EQ(counts.shared_rmw(), 3u);
  EXPECT_EQ(counts.wakeups, 0u);
  EXPECT_EQ(ctx_lock_acquisitions(), 0u);
}

TEST(SpinLock, UncontendedMakesNoSystemCall) {
  SpinLock lock;
  const std::uint64_t before = system_calls;
  for (int i = 0; i < 1000; ++i) const SpinLockGuard guard(lock, LockSite::kRingLock);
  EXPECT_EQ(system_calls, before);
}

// Who waits for a holder that is away sleeps, and gets the lock when it is let go of.
TEST(SpinLock, WaitersSleepAndAreWoken) {
  SpinLock lock;
  lock.lock(LockSite::kRingLock);
  std::vector<std::thread> waiters;
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([&] {
      const std::uint64_t before = system_calls;
      lock.lock(LockSite::kRingLock);
      const LockCount& count = lock_count(LockSite::kRingLock);
      EXPECT_EQ(count.contended, 1u);
      EXPECT_EQ(waits_of(LockSite::kRingLock, count.wait_ns), 1u);
      EXPECT_GT(system_calls, before) << "it spun for the whole time";
      EXPECT_LT(system_calls, before + 100) << "it was refused its sleep";
      EXPECT_GE(counts.shared_rmw(), 3u) << "the first try, the one before its sleep, the last";
      lock.unlock();
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  counts.reset();
  lock.unlock();
  EXPECT_EQ(counts.wakeups, 1u) << "the next one is woken by who was";
  for (std::thread& waiter : waiters) waiter.join();
}

}  // namespace
}  // namespace aioscope::kioctx
