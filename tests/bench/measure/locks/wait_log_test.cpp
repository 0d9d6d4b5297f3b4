#include "bench/measure/locks/wait_log.h"

#include <gtest/gtest.h>

#include "bench/measure/locks/lock_observer.h"

namespace aioscope {
namespace {

constexpr std::uint32_t kSpin = 1;
constexpr std::uint32_t kMutex = 32;
constexpr std::uint64_t kStackA[] = {1, 2, 3};
constexpr std::uint64_t kStackB[] = {1, 2, 4};

TEST(WaitLog, MeasuresFromTheBeginToTheEnd) {
  WaitLog log(1);
  log.begin(0, 1'000, 7, kSpin, kStackA);
  log.end(0, 1'250, 7);
  log.begin(0, 2'000, 7, kSpin, kStackA);
  log.end(0, 2'050, 7);
  ASSERT_EQ(log.sites().size(), 1u);
  EXPECT_EQ(log.sites()[0].contended, 2u);
  EXPECT_EQ(log.sites()[0].wait_ns, 300u);
  EXPECT_EQ(log.sites()[0].waits.max_ns(), 250u);
  EXPECT_EQ(log.unfinished(), 0u);
}

TEST(WaitLog, TellsStacksKindsAndThreadsApart) {
  WaitLog log(2);
  log.begin(0, 0, 7, kSpin, kStackA);
  log.begin(1, 0, 7, kSpin, kStackB);
  log.end(1, 10, 7);
  log.end(0, 100, 7);
  log.begin(0, 0, 7, kMutex, kStackA);
  ASSERT_EQ(log.sites().size(), 3u);
  EXPECT_EQ(log.sites()[0].wait_ns, 100u);
  EXPECT_EQ(log.sites()[1].wait_ns, 10u);
  EXPECT_EQ(log.sites()[2].wait_ns, 0u);
  EXPECT_EQ(log.unfinished(), 1u);
}

// A mutex spins first and then sleeps: two begins, one end.
TEST(WaitLog, PhasesOfOneWaitAreOneWait) {
  WaitLog log(1);
  log.begin(0, 0, 7, kMutex | kSpin, kStackA);
  log.begin(0, 100, 7, kMutex, kStackB);
  log.end(0, 500, 7);
  ASSERT_EQ(log.sites().size(), 1u);
  EXPECT_EQ(log.sites()[0].contended, 1u);
  EXPECT_EQ(log.sites()[0].wait_ns, 500u);
}

TEST(WaitLog, WaitsNest) {
  WaitLog log(1);
  log.begin(0, 0, 7, kMutex, kStackA);
  log.begin(0, 10, 8, kSpin, kStackB);  // the lock within the mutex
  log.end(0, 30, 8);
  log.end(0, 100, 7);
  EXPECT_EQ(log.sites()[0].wait_ns, 100u);
  EXPECT_EQ(log.sites()[1].wait_ns, 20u);
}

TEST(WaitLog, WhatIsMissingIsNotInvented) {
  WaitLog log(1);
  log.end(0, 50, 7);  // began before the window
  EXPECT_TRUE(log.sites().empty());
  log.begin(0, 0, 7, kSpin, kStackA);
  log.begin(0, 10, 8, kSpin, kStackB);
  log.end(0, 40, 7);  // the end of 8 was lost
  log.end(0, 50, 8);
  EXPECT_EQ(log.sites()[0].wait_ns, 40u);
  EXPECT_EQ(log.sites()[1].wait_ns, 0u);
  EXPECT_EQ(log.sites()[1].contended, 1u);

  log.begin(0, 100, 7, kSpin, kStackA);
  log.forget(0);  // records were lost
  log.end(0, 1'000'000, 7);
  EXPECT_EQ(log.sites()[0].wait_ns, 40u);
  EXPECT_EQ(log.sites()[0].contended, 2u);
}

TEST(WaitLog, StaysBounded) {
  WaitLog log(1);
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    const std::uint64_t stack[] = {i};
    log.begin(0, 0, i, kSpin, stack);
  }
  EXPECT_EQ(log.sites().size(), 4096u);
  EXPECT_LE(log.unfinished(), 16u);
  EXPECT_TRUE(log.sites().back().stack.empty());
  EXPECT_EQ(log.sites().back().contended, 5'000u - 4'095);
}

TEST(LockKind, NamesWhatTheFlagsSay) {
  EXPECT_EQ(lock_kind(0), "semaphore");
  EXPECT_EQ(lock_kind(1), "spin");
  EXPECT_EQ(lock_kind(1 | 2), "rwlock read");
  EXPECT_EQ(lock_kind(1 | 4), "rwlock write");
  EXPECT_EQ(lock_kind(2), "rwsem read");
  EXPECT_EQ(lock_kind(4), "rwsem write");
  EXPECT_EQ(lock_kind(8), "rtmutex");
  EXPECT_EQ(lock_kind(16 | 2), "percpu read");
  EXPECT_EQ(lock_kind(16 | 4), "percpu write");
  EXPECT_EQ(lock_kind(32), "mutex");
  EXPECT_EQ(lock_kind(32 | 1), "mutex");
}

TEST(WaitSites, AreMergedByNameAndKindLongestFirst) {
  WaitLog log(1);
  const auto wait = [&](std::uint32_t flags, std::span<const std::uint64_t> stack,
                        std::int64_t length_ns) {
    log.begin(0, 0, 7, flags, stack);
    log.end(0, length_ns, 7);
  };
  for (int i = 0; i < 14; ++i) wait(kSpin, kStackA, 10);
  for (int i = 0; i < 14; ++i) wait(kSpin, kStackB, 10);
  wait(kMutex, kStackA, 5'000);
  const auto sites = wait_sites(log, WaitKind::kKernelLocks, [](std::span<const std::uint64_t>) {
    return NamedSite{"aio_complete", "aio lock wait"};
  });
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_EQ(sites[0].kind, "mutex");
  EXPECT_EQ(sites[0].wait_ns_max, 5'000u);
  EXPECT_FALSE(sites[0].wait_ns_p50.has_value());  // of one wait
  EXPECT_EQ(sites[1].site, "aio_complete");
  EXPECT_EQ(sites[1].layer, "aio lock wait");
  EXPECT_EQ(sites[1].kind, "spin");
  EXPECT_EQ(sites[1].contended, 28u);
  EXPECT_EQ(sites[1].wait_ns, 280u);
  EXPECT_EQ(sites[1].wait_ns_p50, 10);
  EXPECT_FALSE(sites[1].wait_ns_p99.has_value());
}

void wait_often(WaitLog& log, std::span<const std::uint64_t> stack, int times,
                std::int64_t first_ns) {
  for (int i = 0; i < times; ++i) {
    log.begin(0, 0, 7, kSpin, stack);
    log.end(0, first_ns + i, 7);
  }
}

TEST(RecordingCosts, AreTheShortestOfManyWaits) {
  WaitLog log(1);
  wait_often(log, kStackA, 100, 2'100);  // to 2'199
  wait_often(log, kStackB, 5, 3'000);    // too few to tell: as those of the other
  EXPECT_EQ(recording_costs_ns(log), (std::vector<std::uint64_t>{2'100, 2'100}));
  const auto sites =
      wait_sites(log, WaitKind::kKernelLocks, [](std::span<const std::uint64_t> stack) {
        return NamedSite{stack[2] == 3 ? "a" : "b", ""};
      });
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_EQ(sites[0].site, "a");
  EXPECT_EQ(sites[0].wait_ns, 99u * 100 / 2);
  EXPECT_EQ(sites[0].wait_ns_max, 99u);
  EXPECT_NEAR(sites[0].wait_ns_p50.value(), 50, 35);  // buckets of 32 ns
  EXPECT_EQ(sites[1].wait_ns, 5u * 902);
}

TEST(RecordingCosts, AreNotLongWaits) {
  WaitLog log(1);
  wait_often(log, kStackA, 100, 1'000'000);  // of a mutex that is held for long
  EXPECT_EQ(recording_costs_ns(log), std::vector<std::uint64_t>{0});
  wait_often(log, kStackB, 30, 500);
  EXPECT_EQ(recording_costs_ns(log), (std::vector<std::uint64_t>{500, 500}));
}

}  // namespace
}  // namespace aioscope
