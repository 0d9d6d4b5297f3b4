#include "drivers/kioctx/percpu.h"

#include <gtest/gtest.h>
#if defined(__GLIBC__)
#include <sys/rseq.h>
#endif

#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 200'000;

class Percpu : public testing::Test {
 protected:
  template <class Function>
  static void in_threads(Function function) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(function);
    for (std::thread& thread : threads) thread.join();
  }

  std::unique_ptr<PercpuSlot[], void (*)(PercpuSlot*)> slots_{alloc_percpu(), free_percpu};
};

// The suite runs twice: as it is, and with rseq switched off in glibc.
TEST_F(Percpu, UsesRseqWhereGlibcRegisteredIt) {
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  const bool told_not_to =
      tunables != nullptr && std::string_view(tunables).find("rseq=0") != std::string_view::npos;
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
  EXPECT_EQ(percpu_uses_rseq(), __rseq_size > 0);
  if (told_not_to) {
    EXPECT_FALSE(percpu_uses_rseq());
  }
#else
  EXPECT_FALSE(percpu_uses_rseq()) << told_not_to;
#endif
}

TEST_F(Percpu, CountsOneSlotPerPossibleCpu) {
  EXPECT_GE(num_possible_cpus(), std::thread::hardware_concurrency());
}

// A counter of each CPU that a thread can be on, whatever a sandbox hides.
TEST(PossibleCpus, AreThoseOfSysfs) {
  const PossibleCpus cpus = find_possible_cpus("0-3,8-11,16", 9, {});
  EXPECT_EQ(cpus.count, 9u);
  EXPECT_EQ(cpus.ids, 17u);
}

TEST(PossibleCpus, WithoutSysfsMayHaveAnyNumberThatTheKernelKnows) {
  const std::vector<unsigned long> affinity{0, 1};  // CPU 64 of 128, which two are configured of
  const PossibleCpus cpus = find_possible_cpus("", 2, affinity);
  EXPECT_EQ(cpus.count, 2u);
  EXPECT_EQ(cpus.ids, 2 * 8 * sizeof(unsigned long));
  EXPECT_EQ(find_possible_cpus("", 2, {}).ids, 8192u) << "nobody knows";
}

TEST(PossibleCpus, AreAtLeastThoseThatWeMayRunOn) {
  const std::vector<unsigned long> affinity{0b10'0000, 0};
  EXPECT_EQ(find_possible_cpus("0-1", 2, affinity).ids, 6u) << "a sysfs of the sandbox's own";
  EXPECT_EQ(find_possible_cpus("0-1", 4, {}).ids, 4u);
}

// An update lost to preemption or migration would be missing from the sum.
TEST_F(Percpu, AddLosesNothing) {
  in_threads([&] {
    for (int i = 0; i < kRounds; ++i) percpu_add(slots_.get(), 3);
  });
  EXPECT_EQ(percpu_sum(slots_.get()), 3u * kThreads * kRounds);
}

TEST_F(Percpu, AddWraps) {
  percpu_add(slots_.get(), std::uint32_t(-1));
  EXPECT_EQ(std::int32_t(percpu_sum(slots_.get())), -1);
}

TEST_F(Percpu, TakeStopsAtZero) {
  const OneCpu pinned;
  EXPECT_FALSE(percpu_take_one(slots_.get()));
  percpu_add(slots_.get(), 2);
  EXPECT_TRUE(percpu_take_one(slots_.get()));
  EXPECT_TRUE(percpu_take_one(slots_.get()));
  EXPECT_FALSE(percpu_take_one(slots_.get()));
  EXPECT_EQ(percpu_sum(slots_.get()), 0u);
}

// What is taken and what is left make up what was put in, whatever thread did it where.
TEST_F(Percpu, TakeTakesEachOnce) {
  std::atomic<std::uint32_t> taken{0};
  in_threads([&] {
    std::uint32_t mine = 0;
    for (int i = 0; i < kRounds; ++i) {
      percpu_add(slots_.get(), 1);
      mine += percpu_take_one(slots_.get());
      mine += percpu_take_one(slots_.get());
    }
    taken += mine;
  });
  EXPECT_EQ(taken + percpu_sum(slots_.get()), std::uint32_t(kThreads) * kRounds);
  EXPECT_GT(taken, 0u);
}

TEST_F(Percpu, DrainKeepsLessThanTwoBatches) {
  const OneCpu pinned;
  PercpuSlot* slots = slots_.get();
  EXPECT_EQ(percpu_add_and_drain(slots, 19, 10), 0u);
  EXPECT_EQ(percpu_add_and_drain(slots, 1, 10), 10u);  // 20 is two batches: one goes
  EXPECT_EQ(percpu_sum(slots), 10u);
  EXPECT_EQ(percpu_add_and_drain(slots, 95, 10), 90u);  // 105: down to 15
  EXPECT_EQ(percpu_sum(slots), 15u);
}

TEST_F(Percpu, DrainLosesNothing) {
  std::atomic<std::uint32_t> drained{0};
  in_threads([&] {
    std::uint32_t mine = 0;
    for (int i = 0; i < kRounds; ++i) mine += percpu_add_and_drain(slots_.get(), 7, 16);
    drained += mine;
  });
  EXPECT_EQ(drained + percpu_sum(slots_.get()), 7u * kThreads * kRounds);
}

TEST_F(Percpu, FoldEmptiesAll) {
  in_threads([&] { percpu_add(slots_.get(), 5); });
  EXPECT_EQ(percpu_fold(slots_.get()), 5u * kThreads);
  EXPECT_EQ(percpu_sum(slots_.get()), 0u);
}

}  // namespace
}  // namespace aioscope::kioctx
