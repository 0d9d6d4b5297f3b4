#include "bench/measure/perf/thread_counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <thread>

namespace aioscope {
namespace {

using testing::HasSubstr;

constexpr std::size_t kPage = 4096;

void touch_pages(std::size_t pages) {
  void* memory =
      mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  madvise(memory, pages * kPage, MADV_NOHUGEPAGE);
  for (std::size_t i = 0; i < pages; ++i) static_cast<volatile char*>(memory)[i * kPage] = 1;
  munmap(memory, pages * kPage);
}

std::vector<Counter> counters_named(std::vector<std::string> names) { return find_counters(names); }

TEST(ThreadCounters, CountTheirWindowOfTheirThreadOnly) {
  const auto counters = counters_named({"page-faults:u", "task-clock"});
  for (const Counter& counter : counters) {
    if (!counter.usable()) GTEST_SKIP() << counter.refusal.text();
  }
  std::vector<ThreadCounters> threads;
  threads.emplace_back(counters, 0);
  ASSERT_TRUE(threads[0].failures().empty());
  touch_pages(100);
  threads[0].begin();
  touch_pages(1000);
  std::thread(touch_pages, 500).join();  // its own are not this thread's
  threads[0].end();
  touch_pages(100);
  const auto sums = sum_counters(counters, threads, 1000);
  ASSERT_EQ(sums.size(), 2u);
  EXPECT_EQ(sums[0].name, "page-faults:u");
  EXPECT_GE(sums[0].value, 1000u);
  EXPECT_LT(sums[0].value, 1400u);  // and those of starting a thread
  EXPECT_DOUBLE_EQ(*sums[0].per_op, double(*sums[0].value) / 1000);
  EXPECT_FALSE(sums[0].scaled);
  EXPECT_GT(sums[0].running_ns, 0u);
  EXPECT_EQ(sums[0].running_ns, sums[0].enabled_ns);
  EXPECT_TRUE(sums[0].reason.empty());
  // Enabled while the thread ran, and that is what task-clock counts; as a member of the other's
  // group it would stand still between the timer's ticks.
  EXPECT_NEAR(double(*sums[1].value), double(sums[1].enabled_ns), 0.1 * sums[1].enabled_ns);
}

TEST(ThreadCounters, ContextSwitchesOfAThreadThatSleeps) {
  const auto counters = counters_named({"context-switches"});
  if (!counters[0].usable()) GTEST_SKIP() << counters[0].refusal.text();
  std::vector<ThreadCounters> threads;
  threads.emplace_back(counters, 0);
  threads[0].begin();
  constexpr timespec kAWhile{.tv_sec = 0, .tv_nsec = 100'000};
  for (int i = 0; i < 50; ++i) nanosleep(&kAWhile, nullptr);
  threads[0].end();
  EXPECT_GE(sum_counters(counters, threads, 1)[0].value, 50u);
}

TEST(ThreadCounters, AddUpOverThreads) {
  const auto counters = counters_named({"page-faults:u"});
  if (!counters[0].usable()) GTEST_SKIP() << counters[0].refusal.text();
  std::vector<ThreadCounters> threads;
  threads.reserve(2);
  for (const std::size_t pages : {300, 400}) {
    std::thread([&] {
      ThreadCounters& own = threads.emplace_back(counters, 0);
      own.begin();
      touch_pages(pages);
      own.end();
    }).join();
  }
  const auto sum = sum_counters(counters, threads, 7)[0];
  EXPECT_GE(sum.value, 700u);
  EXPECT_LT(sum.value, 850u);
}

TEST(ThreadCounters, OneThatCannotBeHadIsNullWithItsReason) {
  const auto counters = counters_named({"page-faults:u", "context-switches:u"});
  std::vector<ThreadCounters> threads;
  threads.emplace_back(counters, 0);
  threads[0].begin();
  threads[0].end();
  const auto sums = sum_counters(counters, threads, 1);
  EXPECT_EQ(sums[1].value, std::nullopt);
  EXPECT_EQ(sums[1].per_op, std::nullopt);
  EXPECT_THAT(sums[1].reason, HasSubstr("in the kernel only"));
}

TEST(ThreadCounters, AThreadThatIsGoneIsAFailureAndNoZero) {
  const auto counters = counters_named({"page-faults:u"});
  if (!counters[0].usable()) GTEST_SKIP() << counters[0].refusal.text();
  pid_t gone = 0;
  std::thread([&] { gone = gettid(); }).join();
  std::vector<ThreadCounters> threads;
  threads.emplace_back(counters, gone);
  ASSERT_EQ(threads[0].failures().size(), 1u);
  EXPECT_EQ(threads[0].failures()[0].counter, 0u);
  threads[0].begin();
  threads[0].end();
  const auto sum = sum_counters(counters, threads, 1)[0];
  EXPECT_EQ(sum.value, std::nullopt);
  EXPECT_THAT(sum.reason, HasSubstr("ESRCH"));
}

TEST(ThreadCounters, BeforeBothEdgesThereIsNoWindow) {
  const auto counters = counters_named({"page-faults:u"});
  ThreadCounters thread(counters, 0);
  EXPECT_FALSE(thread.window(0).has_value());
  thread.begin();
  EXPECT_FALSE(thread.window(0).has_value());
}

TEST(SumWindows, WhatRanForAPartOfTheTimeIsScaledAndMarked) {
  const CounterReading whole{.value = 1000, .enabled_ns = 50, .running_ns = 50};
  const CounterReading quarter{.value = 300, .enabled_ns = 80, .running_ns = 20};
  const auto sum = sum_windows(std::vector{whole, quarter}, 10);
  EXPECT_EQ(sum.value, 1000u + 4 * 300u);
  EXPECT_DOUBLE_EQ(*sum.per_op, 220);
  EXPECT_TRUE(sum.scaled);
  EXPECT_EQ(sum.enabled_ns, 130u);
  EXPECT_EQ(sum.running_ns, 70u);
  EXPECT_FALSE(sum_windows(std::vector{whole}, 10).scaled);
}

TEST(SumWindows, OneThatNeverRanLeavesNoValue) {
  const CounterReading never{.value = 0, .enabled_ns = 80, .running_ns = 0};
  const auto sum = sum_windows(std::vector{CounterReading{5, 50, 50}, never}, 10);
  EXPECT_EQ(sum.value, std::nullopt);
  EXPECT_EQ(sum.per_op, std::nullopt);
  EXPECT_EQ(sum.enabled_ns, 0u);
  EXPECT_THAT(sum.reason, HasSubstr("nmi_watchdog"));
}

TEST(CounterReading, DifferencesAndNoOperations) {
  const CounterReading window = CounterReading{10, 20, 15} - CounterReading{4, 5, 6};
  EXPECT_EQ(window.value, 6u);
  EXPECT_EQ(window.enabled_ns, 15u);
  EXPECT_EQ(window.running_ns, 9u);
}

}  // namespace
}  // namespace aioscope
