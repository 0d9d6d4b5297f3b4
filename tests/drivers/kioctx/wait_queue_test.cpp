#include "drivers/kioctx/wait_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/futex.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

TEST(WaitQueue, IsActiveWhileSomebodyIsQueued) {
  WaitQueueHead queue;
  WaitQueueEntry entry(true);
  EXPECT_FALSE(queue.active());
  queue.prepare_to_wait(entry);
  EXPECT_TRUE(queue.active());
  queue.prepare_to_wait(entry);  // queued once
  queue.finish_wait(entry);
  EXPECT_FALSE(queue.active());
}

// The completions after the first one find an empty queue, and need not wake.
TEST(WaitQueue, TheWakerTakesASeriesSleeperOff) {
  WaitQueueHead queue;
  WaitQueueEntry entry(true);
  queue.prepare_to_wait(entry);
  queue.wake_up();
  EXPECT_FALSE(queue.active());
  EXPECT_EQ(schedule_until(entry, kForever), 0) << "woken before it slept";
  queue.finish_wait(entry);
}

TEST(WaitQueue, AV37SleeperStaysQueuedWhenWoken) {
  WaitQueueHead queue;
  WaitQueueEntry entry(false);
  queue.add_wait_queue_exclusive(entry);
  set_current_state(entry, TaskState::kInterruptible);
  queue.wake_up();
  EXPECT_TRUE(queue.active());
  EXPECT_EQ(entry.state, TaskState::kRunning);
  queue.remove_wait_queue(entry);
  EXPECT_FALSE(queue.active());
}

TEST(WaitQueue, WakesOneExclusiveSleeperAndAllOthers) {
  WaitQueueHead queue;
  WaitQueueEntry shared[2] = {WaitQueueEntry(false), WaitQueueEntry(false)};
  WaitQueueEntry exclusive[2] = {WaitQueueEntry(false), WaitQueueEntry(false)};
  for (WaitQueueEntry& entry : exclusive) queue.add_wait_queue_exclusive(entry);
  for (WaitQueueEntry& entry : shared) queue.add_wait_queue(entry);
  const auto all_sleep = [&] {
    for (WaitQueueEntry& entry : shared) set_current_state(entry, TaskState::kInterruptible);
    for (WaitQueueEntry& entry : exclusive) set_current_state(entry, TaskState::kInterruptible);
  };
  all_sleep();
  queue.wake_up();
  for (const WaitQueueEntry& entry : shared) EXPECT_EQ(entry.state, TaskState::kRunning);
  EXPECT_EQ(exclusive[0].state, TaskState::kRunning);
  EXPECT_EQ(exclusive[1].state, TaskState::kInterruptible);
  queue.wake_up();  // the first runs already and does not count: the second is woken
  EXPECT_EQ(exclusive[1].state, TaskState::kRunning);
  all_sleep();
  queue.wake_up_all();
  for (const WaitQueueEntry& entry : exclusive) EXPECT_EQ(entry.state, TaskState::kRunning);
  for (WaitQueueEntry& entry : exclusive) queue.remove_wait_queue(entry);
  for (WaitQueueEntry& entry : shared) queue.remove_wait_queue(entry);
}

// Each by one wake-up, with a system call or without.
TEST(WaitQueue, CountsWhoWasMadeRunnableAndWhoWasCalled) {
  WaitQueueHead queue;
  WaitQueueEntry entry(true);
  queue.prepare_to_wait(entry);
  counts.reset();
  queue.wake_up();
  EXPECT_EQ(counts.wakeups, 1u);
  EXPECT_EQ(counts.shared_rmw(), 2u) << "the lock, and the entry's state";
  queue.finish_wait(entry);

  queue.prepare_to_wait(entry);
  std::atomic<TaskState>& state = entry.state;
  std::thread waker([&] {
    while (state.load(std::memory_order_relaxed) != TaskState::kSleeping) std::this_thread::yield();
    queue.wake_up();
    EXPECT_EQ(counts.wakeups, 1u);
  });
  counts.reset();
  EXPECT_EQ(schedule_until(entry, in_ms(20'000)), 0);
  EXPECT_EQ(counts.shared_rmw(), 2u) << "to sleep, and back";
  queue.finish_wait(entry);
  waker.join();
}

TEST(WaitQueue, SleepEndsAtItsTime) {
  WaitQueueHead queue;
  WaitQueueEntry entry(true);
  queue.prepare_to_wait(entry);
  const std::int64_t until = in_ms(20);
  EXPECT_EQ(schedule_until(entry, until), -ETIMEDOUT);
  EXPECT_GE(monotonic_ns(), until);
  queue.finish_wait(entry);
}

// A sleeper must never miss what was made true while it went to sleep. Two threads hand a turn back
// and forth: a lost wake-up leaves both asleep, which the time-out shows.
template <bool kStaysQueued>
void hand_turns_back_and_forth() {
  WaitQueueHead queues[2];
  std::atomic<int> turn{0};
  std::atomic<int> lost{0};
  constexpr int kTurns = 20'000;
  const auto player = [&](int me) {
    WaitQueueEntry entry(!kStaysQueued);
    if (kStaysQueued) queues[me].add_wait_queue_exclusive(entry);
    for (int n = me; n < kTurns && lost == 0; n += 2) {
      while (turn.load(std::memory_order_acquire) != n) {
        if (kStaysQueued) {
          set_current_state(entry, TaskState::kInterruptible);
        } else {
          queues[me].prepare_to_wait(entry);
        }
        if (turn.load(std::memory_order_acquire) == n) break;
        if (schedule_until(entry, in_ms(20'000)) == -ETIMEDOUT) {
          lost += 1;
          break;
        }
      }
      if (!kStaysQueued) queues[me].finish_wait(entry);
      turn.store(n + 1, std::memory_order_release);
      smp_mb();
      if (queues[1 - me].active()) queues[1 - me].wake_up();
    }
    if (kStaysQueued) queues[me].remove_wait_queue(entry);
  };
  std::thread other([&] { player(1); });
  player(0);
  other.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(turn, kTurns);
}

TEST(WaitQueue, LosesNoWakeUp) { hand_turns_back_and_forth<false>(); }
TEST(WaitQueue, LosesNoWakeUpOfWhoStaysQueued) { hand_turns_back_and_forth<true>(); }

// Entries live on stacks: a waker must be through with one before its sleeper leaves.
TEST(WaitQueue, ManySleepersAndWakers) {
  WaitQueueHead queue;
  std::atomic<std::uint64_t> published{0};
  std::atomic<int> sleepers{4};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 300; ++n) {
        const std::uint64_t seen = published.load(std::memory_order_acquire);
        WaitQueueEntry entry(true);
        queue.prepare_to_wait(entry);
        if (published.load(std::memory_order_acquire) == seen) {
          EXPECT_EQ(schedule_until(entry, in_ms(20'000)), 0);
        }
        queue.finish_wait(entry);
      }
      sleepers -= 1;
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (sleepers != 0) {
        published.fetch_add(1, std::memory_order_release);
        smp_mb();
        if (queue.active()) queue.wake_up();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(queue.active());
}

}  // namespace
}  // namespace aioscope::kioctx
