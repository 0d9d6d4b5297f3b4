#include "drivers/io_uring/counted_mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <thread>

namespace aioscope {
namespace {

constexpr auto kHeld = std::chrono::milliseconds(30);

LockSiteCount counted(RingSite site) {
  return kRingCounters.this_thread().locks.at(std::size_t(site));
}

std::uint64_t waits(const LockSiteCount& count) {
  return std::accumulate(count.waits.counts.begin(), count.waits.counts.end(), std::uint64_t{0});
}

TEST(CountedMutex, AFreeOneIsNotWaitedFor) {
  CountedMutex mutex;
  const LockSiteCount before = counted(RingSite::kReap);
  for (int i = 0; i < 3; ++i) const CountedLock lock(mutex, RingSite::kReap);
  const LockSiteCount after = counted(RingSite::kReap);
  EXPECT_EQ(after.acquisitions - before.acquisitions, 3u);
  EXPECT_EQ(after.contended, before.contended);
  EXPECT_EQ(after.wait_ns, before.wait_ns);
  EXPECT_EQ(waits(after), waits(before));
}

TEST(CountedMutex, AWaitIsCountedByItsLengthAtItsSite) {
  CountedMutex mutex;
  mutex.lock(RingSite::kReap);
  std::thread waiter([&] {
    const CountedLock lock(mutex, RingSite::kSubmit);
    const LockSiteCount count = counted(RingSite::kSubmit);
    EXPECT_EQ(count.acquisitions, 1u);
    ASSERT_EQ(count.contended, 1u) << "it came when the lock was free";
    EXPECT_EQ(waits(count), 1u);
    EXPECT_EQ(count.waits.counts[WaitBuckets::bucket_of(count.wait_ns)], 1u);
    EXPECT_GT(count.wait_ns, 0u);
    EXPECT_EQ(counted(RingSite::kReap).acquisitions, 0u);
  });
  std::this_thread::sleep_for(kHeld);
  mutex.unlock();
  waiter.join();
}

}  // namespace
}  // namespace aioscope
