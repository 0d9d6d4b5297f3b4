#include "drivers/kioctx/reqs_available.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

struct Worked {
  std::uint32_t requested, cpus, nr_events, slots, req_batch;
};

TEST(RingSize, PerCpuWorkedValues) {
  for (const Worked& w : {Worked{50, 32, 383, 382, 2},
                          {128, 2, 383, 382, 47},
                          {128, 4, 383, 382, 23},
                          {128, 64, 639, 638, 2},
                          {1024, 2, 2175, 2174, 271},
                          {1024, 16, 2175, 2174, 33}}) {
    const RingSize size = ring_size_percpu(w.requested, w.cpus);
    EXPECT_EQ(size.nr_events, w.nr_events) << w.requested << "/" << w.cpus;
    EXPECT_EQ(size.slots(), w.slots) << w.requested << "/" << w.cpus;
    EXPECT_EQ(size.req_batch, w.req_batch) << w.requested << "/" << w.cpus;
  }
}

TEST(RingSize, OldRuleWorkedValues) {
  for (const Worked& w :
       {Worked{128, 0, 255, 254, 0}, {1024, 0, 1151, 1150, 0}, {1, 0, 127, 126, 0}}) {
    const RingSize size = ring_size(w.requested);
    EXPECT_EQ(size.nr_events, w.nr_events) << w.requested;
    EXPECT_EQ(size.slots(), w.slots) << w.requested;
    EXPECT_EQ(size.req_batch, 0u);
  }
}

TEST(RingSize, FillsItsPages) {
  for (std::uint32_t requested = 1; requested < 5000; ++requested) {
    const RingSize size = ring_size(requested);
    EXPECT_GE(size.slots(), requested);
    EXPECT_LE(kRingHeaderBytes + size.nr_events * kIoEventBytes, size.nr_pages * kPageSize);
    EXPECT_GT(kRingHeaderBytes + (requested + 2) * kIoEventBytes, (size.nr_pages - 1) * kPageSize);
  }
}

TEST(RingSize, BatchIsNeverZero) {
  EXPECT_EQ(ring_size_percpu(1, 4096).req_batch, 2u);
  for (std::uint32_t cpus = 1; cpus < 2000; ++cpus)
    EXPECT_GE(ring_size_percpu(1, cpus).req_batch, 1u);
}

// However the slots lie, one CPU gets what was asked for.
TEST(RingSize, StrandedSlotsAreUnderHalf) {
  for (std::uint32_t cpus = 1; cpus < 300; ++cpus) {
    for (const std::uint32_t requested : {1u, 50u, 128u, 1024u}) {
      const RingSize size = ring_size_percpu(requested, cpus);
      const std::uint32_t stranded = (cpus - 1) * (2 * size.req_batch - 1) + size.req_batch - 1;
      EXPECT_GE(size.slots() - stranded, requested) << requested << "/" << cpus;
    }
  }
}

class ReqsAvailable : public testing::Test {
 public:
  ReqsAvailable() : cpu_(alloc_percpu()) {}
  ~ReqsAvailable() override { free_percpu(cpu_); }

 protected:
  bool get() { return get_reqs_available(cpu_, global_, kBatch); }
  void put(std::uint32_t count) { put_reqs_available(cpu_, global_, kBatch, count); }

  static constexpr std::uint32_t kBatch = 10;
  PercpuSlot* const cpu_;
  std::atomic<std::uint32_t> global_{0};
};

TEST_F(ReqsAvailable, BorrowsABatchAtATime) {
  const OneCpu pinned;
  global_ = 25;
  for (std::uint32_t i = 0; i < kBatch; ++i) {
    EXPECT_TRUE(get());
    EXPECT_EQ(global_, 15u) << "after " << i + 1;
  }
  EXPECT_TRUE(get());
  EXPECT_EQ(global_, 5u);
}

TEST_F(ReqsAvailable, BorrowsAllOrNothing) {
  const OneCpu pinned;
  global_ = 25;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(get());
  EXPECT_FALSE(get()) << "5 are left, which is less than a batch";
  EXPECT_EQ(global_, 5u);
}

TEST_F(ReqsAvailable, GivesBackFromTwoBatchesOn) {
  const OneCpu pinned;
  put(2 * kBatch - 1);
  EXPECT_EQ(global_, 0u);
  put(1);
  EXPECT_EQ(global_, kBatch);
}

// Never more taken than there are, and none lost, while threads get and put all over the CPUs.
TEST_F(ReqsAvailable, HandsEachSlotToOne) {
  constexpr std::uint32_t kSlots = 95;
  global_ = kSlots;
  std::atomic<std::uint32_t> held{0};
  std::atomic<std::uint64_t> successes{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50'000; ++i) {
        std::uint32_t mine = 0;
        while (mine < 30 && get()) {
          EXPECT_LE(held.fetch_add(1) + 1, kSlots);
          ++mine;
        }
        successes += mine;
        held -= mine;
        if (mine > 0) put(mine);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(global_ + percpu_sum(cpu_), kSlots);
  EXPECT_GT(successes, 0u);
}

}  // namespace
}  // namespace aioscope::kioctx
