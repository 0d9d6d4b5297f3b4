#include "bench/measure/profile/off_cpu.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace aioscope {
namespace {

TEST(SwitchAccount, AddsWaitsAndPreemptionsUp) {
  SwitchAccount account;
  const RawStack reap{1, 2}, lock{3};
  account.begin(1000);
  account.stack(reap);
  account.switch_out(1100, false);
  account.switch_in(1300);  // 200 of reap
  account.switch_out(1400, true);
  account.switch_in(1450);  // 50 preempted
  account.stack(lock);
  account.switch_out(1500, false);
  account.switch_in(1530);  // 30 of lock
  account.switch_out(1600, false);
  account.end(1670, 120);  // 70 without a stack
  EXPECT_EQ(account.switches(), 4u);
  EXPECT_EQ(account.preempted_ns(), 50u);
  EXPECT_EQ(account.wait_ns(), 300u);
  ASSERT_EQ(account.waits().size(), 2u);
  EXPECT_EQ(account.waits().at(reap), 200u);
  EXPECT_EQ(account.waits().at(lock), 30u);
}

TEST(SwitchAccount, AThreadThatWasOffFromTheBeginningWaited) {
  SwitchAccount account;
  account.begin(1000);
  account.switch_in(1400);
  account.end(2000, 600);
  EXPECT_EQ(account.wait_ns(), 400u);
  EXPECT_EQ(account.switches(), 0u);
}

// Without a switch, its CPU time tells.
TEST(SwitchAccount, AThreadThatNeverSwitchedRanOrWaitedAllTheTime) {
  SwitchAccount asleep, busy, unknown;
  for (SwitchAccount* account : {&asleep, &busy, &unknown}) account->begin(1000);
  asleep.end(2000, 0);
  busy.end(2000, 990);
  unknown.end(2000, std::nullopt);
  EXPECT_EQ(asleep.wait_ns(), 1000u);
  EXPECT_TRUE(asleep.waits().empty());
  EXPECT_TRUE(asleep.known());
  EXPECT_EQ(busy.wait_ns(), 0u);
  EXPECT_TRUE(busy.known());
  EXPECT_FALSE(unknown.known());
}

TEST(SwitchAccount, ALossBeforeTheFirstSwitchIsNoWait) {
  SwitchAccount account, lost;
  account.begin(1000);
  account.gap();
  account.switch_in(5000);
  account.end(6000, 0);
  EXPECT_EQ(account.wait_ns(), 0u);
  EXPECT_TRUE(account.known());
  lost.begin(1000);
  lost.gap();
  lost.end(6000, 0);
  EXPECT_FALSE(lost.known());
}

TEST(SwitchAccount, NothingIsMadeUpAcrossALoss) {
  SwitchAccount account;
  account.begin(1000);
  account.switch_out(1100, false);
  account.gap();
  account.switch_in(5000);
  account.switch_out(5100, true);
  account.switch_out(5200, false);  // its switch in is missing
  account.switch_in(5210);
  account.end(6000, 900);
  EXPECT_EQ(account.wait_ns(), 10u);
  EXPECT_EQ(account.preempted_ns(), 0u);
}

// A thread that sleeps for most of the time, as the kernel sees it.
TEST(OffCpuRecorder, SeesAThreadSleep) {
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  pid_t tid = 0;
  std::thread sleeper([&] {
    std::unique_lock lock(mutex);
    tid = gettid();
    changed.notify_all();
    while (!changed.wait_for(lock, std::chrono::milliseconds(5), [&] { return stop; })) {
    }
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return tid != 0; });
  }
  OffCpuRecorder recorder({{tid, "sleeper", false}}, 999);
  recorder.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  recorder.stop();
  {
    const std::lock_guard lock(mutex);
    stop = true;
  }
  changed.notify_all();
  sleeper.join();
  Attribution attribution(LayerRules::builtin());
  const OffCpuMeasurement m = recorder.measurement(attribution);
  if (m.source.empty()) GTEST_SKIP() << m.reason;
  ASSERT_EQ(m.threads.size(), 1u);
  EXPECT_GE(m.window_ns, 100'000'000u);
  EXPECT_GT(m.threads[0].wait_ns.value(), m.window_ns / 2) << m.reason;
  EXPECT_LE(m.threads[0].wait_ns.value(), m.window_ns);
  EXPECT_GE(m.threads[0].switches, 5u);
  if (m.source == "sched:sched_switch") {
    // No rule says what this waits for.
    EXPECT_GT(m.threads[0].other_wait_ns.value(), m.window_ns / 2);
    EXPECT_GT(m.stacks, 0u);
  } else {
    EXPECT_FALSE(m.reason.empty());
    EXPECT_FALSE(m.threads[0].lock_ns.has_value());
  }
}

// One that sleeps all the time has no record; what it waits for is not known.
TEST(OffCpuRecorder, AThreadThatSleepsThroughTheWindowWaits) {
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  pid_t tid = 0;
  std::thread sleeper([&] {
    std::unique_lock lock(mutex);
    tid = gettid();
    changed.notify_all();
    changed.wait(lock, [&] { return stop; });
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return tid != 0; });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  OffCpuRecorder recorder({{tid, "sleeper", false}}, 999);
  recorder.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  recorder.stop();
  {
    const std::lock_guard lock(mutex);
    stop = true;
  }
  changed.notify_all();
  sleeper.join();
  Attribution attribution(LayerRules::builtin());
  const OffCpuMeasurement m = recorder.measurement(attribution);
  if (m.source.empty()) GTEST_SKIP() << m.reason;
  ASSERT_EQ(m.threads.size(), 1u);
  if (m.threads[0].switches > 0) GTEST_SKIP() << "it did not get to sleep in time";
  EXPECT_EQ(m.threads[0].wait_ns, m.window_ns);
  EXPECT_EQ(m.threads[0].completions_ns, std::nullopt);
  EXPECT_EQ(m.threads[0].lock_ns, std::nullopt);
  EXPECT_EQ(m.threads[0].other_wait_ns, std::nullopt);
}

}  // namespace
}  // namespace aioscope
