#include "drivers/kioctx/percpu_ref.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "drivers/kioctx/counts.h"

namespace aioscope::kioctx {
namespace {

using State = PercpuRef::State;
constexpr int kGetsToWrap = 16384;

void get_and_put(PercpuRef& ref, int times) {
  for (int i = 0; i < times; ++i) {
    ref.get();
    EXPECT_FALSE(ref.put());
  }
}

TEST(PercpuRef, CountsInOneAtomicAtFirst) {
  PercpuRef ref;
  get_and_put(ref, kGetsToWrap - 1);
  EXPECT_EQ(ref.state(), State::kNone);
}

TEST(PercpuRef, CountsPerCpuAfter16384GetsInASecond) {
  PercpuRef ref;
  get_and_put(ref, kGetsToWrap);
  EXPECT_EQ(ref.state(), State::kPtr);
}

TEST(PercpuRef, StaysAtomicWhileGetsAreRare) {
  PercpuRef ref;
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  get_and_put(ref, kGetsToWrap);
  EXPECT_EQ(ref.state(), State::kNone) << "the last wrap was more than a second ago";
  get_and_put(ref, kGetsToWrap);
  EXPECT_EQ(ref.state(), State::kPtr) << "this one was not";
}

// As it was merged.
TEST(PercpuRef, CountsPerCpuFromBirthWhereAskedTo) {
  PercpuRef ref(State::kPtr);
  EXPECT_EQ(ref.state(), State::kPtr);
  get_and_put(ref, kGetsToWrap);
  EXPECT_EQ(ref.state(), State::kPtr);
  EXPECT_TRUE(ref.tryget_live());
  EXPECT_TRUE(ref.kill());
  EXPECT_FALSE(ref.tryget_live());
  EXPECT_FALSE(ref.put());
  EXPECT_TRUE(ref.put()) << "the initial reference was left";
}

// A get or a put is a shared write where it is one atomic for all, and only there.
TEST(PercpuRef, CountsItsSharedWrites) {
  const auto of = [](auto action) {
    counts.reset();
    action();
    return counts.shared_rmw();
  };
  PercpuRef ref;
  EXPECT_EQ(of([&] { get_and_put(ref, 1); }), 2u);
  EXPECT_EQ(of([&] { EXPECT_TRUE(ref.tryget_live()); }), 1u);
  EXPECT_FALSE(ref.put());
  get_and_put(ref, 3 * kGetsToWrap);
  ASSERT_EQ(ref.state(), State::kPtr);
  EXPECT_EQ(of([&] { get_and_put(ref, 1); }), 0u);
  EXPECT_EQ(of([&] { EXPECT_TRUE(ref.tryget_live()); }), 0u);
  EXPECT_EQ(of([&] { EXPECT_TRUE(ref.kill()); }), 2u) << "the state, and the sum";
  EXPECT_EQ(of([&] { get_and_put(ref, 1); }), 2u) << "dead";
  EXPECT_FALSE(ref.put());
  EXPECT_TRUE(ref.put());
}

TEST(PercpuRef, KilledWhileAtomicIsDeadAtOnce) {
  PercpuRef ref;
  ref.get();
  EXPECT_TRUE(ref.kill());
  EXPECT_EQ(ref.state(), State::kDead);
  EXPECT_FALSE(ref.put()) << "the initial reference is left";
  EXPECT_TRUE(ref.put());
}

TEST(PercpuRef, KilledWhilePerCpuIsDeadWithTheSumInTheAtomic) {
  PercpuRef ref;
  ref.get();  // in the atomic
  get_and_put(ref, kGetsToWrap);
  ASSERT_EQ(ref.state(), State::kPtr);
  ref.get();  // in a counter
  ref.get();
  EXPECT_FALSE(ref.put());
  EXPECT_TRUE(ref.kill());
  EXPECT_EQ(ref.state(), State::kDead);
  EXPECT_FALSE(ref.put());
  EXPECT_FALSE(ref.put());
  EXPECT_TRUE(ref.put());
}

// Got in the atomic, put in the counters: the sum is negative.
TEST(PercpuRef, KillAddsANegativeSum) {
  PercpuRef ref;
  for (int i = 0; i < kGetsToWrap; ++i) ref.get();
  ASSERT_EQ(ref.state(), State::kPtr);
  for (int i = 0; i < kGetsToWrap; ++i) EXPECT_FALSE(ref.put());
  EXPECT_TRUE(ref.kill());
  EXPECT_TRUE(ref.put()) << "only the initial reference was left";
}

TEST(PercpuRef, OnlyTheFirstKillCounts) {
  PercpuRef ref;
  get_and_put(ref, kGetsToWrap);
  std::atomic<int> firsts{0};
  std::vector<std::thread> killers;
  for (int i = 0; i < 4; ++i) killers.emplace_back([&] { firsts += ref.kill(); });
  for (std::thread& killer : killers) killer.join();
  EXPECT_EQ(firsts, 1);
  EXPECT_TRUE(ref.put());
}

// Zero is found exactly once, by whoever is last, and not before everybody has put.
TEST(PercpuRef, ZeroIsFoundOnceWhenKilledInUse) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 30; ++round) {
    PercpuRef ref;
    std::atomic<int> zeros{0};
    std::atomic<int> users{kThreads};
    std::atomic<bool> stop{false};
    for (int i = 0; i < kThreads; ++i) ref.get();
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        while (!stop.load(std::memory_order_relaxed)) get_and_put(ref, 1000);
        users -= 1;
        if (ref.put()) {
          zeros += 1;
          EXPECT_EQ(users, 0) << "others have not put yet";
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(ref.kill());
    stop = true;
    if (ref.put()) {
      zeros += 1;
      EXPECT_EQ(users, 0);
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(zeros, 1);
    EXPECT_EQ(ref.state(), State::kDead);
  }
}

}  // namespace
}  // namespace aioscope::kioctx
