// That what is counted where threads get in each other's way is what was done, too.
#include "drivers/kioctx/counts.h"

#include <gtest/gtest.h>

#include <thread>

#include "drivers/kioctx/aio_complete.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/proof/context.h"
#include "tests/drivers/kioctx/proof/scheduling.h"

namespace aioscope::kioctx {
namespace {

// A completion finds the tail taken by another, who keeps it until it has gone to sleep: it
// exchanges once, then at each turn of its loop, then before each sleep, and when it is awake.
TEST(Counts, EachExchangeOfAContendedTailIsCounted) {
  for (std::size_t i = 0; i < kAllStages; ++i) {
    if (!kStages[i].stage.xchg_tail) continue;
    SCOPED_TRACE(kStages[i].name);
    PendingFile device;
    Context ctx(kStageCalls[i], 8);
    const std::uint32_t file = device.install(ctx.files());
    for (std::uint64_t tag = 0; tag < 2; ++tag) ASSERT_TRUE(ctx.submit(file, tag));
    const PassCount sleeps("complete: tail parked on, not asleep");
    std::uint64_t counted = 0;
    std::uint64_t depot = 0;
    std::thread second;
    const AtPlace taken("complete: ring's tail written, lock held", [&] {
      second = std::thread([&] {
        EXPECT_TRUE(device.complete_one());
        counted = counts.shared_rmw();
        depot = lock_count(LockSite::kRequestDepot).acquisitions;
        EXPECT_EQ(lock_count(LockSite::kTail).acquisitions, 1u);
        EXPECT_EQ(lock_count(LockSite::kTail).contended, 1u);
      });
      while (sleeps.passes() == 0) std::this_thread::yield();
    });
    EXPECT_TRUE(device.complete_one());
    ASSERT_TRUE(taken.happened());
    second.join();
    EXPECT_EQ(counted - depot, 1 + kTailSpins + sleeps.passes() + 1);
    EXPECT_EQ(ctx.reap(8).size(), 2u);
  }
}

}  // namespace
}  // namespace aioscope::kioctx
