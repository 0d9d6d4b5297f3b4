// Many threads on one context: each request comes back once.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "drivers/kioctx/char_files.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

class KioctxThreads : public StageTest {
 protected:
  static constexpr std::uint64_t kPerSubmitter = 20'000;
  static constexpr std::int64_t kLostNs = 20'000'000'000;

  // Submitters number their requests, reapers tick them off.
  void exactly_once(std::uint32_t file, unsigned submitters, unsigned reapers,
                    std::uint32_t batch) {
    std::vector<std::atomic<int>> seen(submitters * kPerSubmitter);
    std::atomic<std::uint64_t> reaped{0};
    std::atomic<bool> gave_up{false};
    std::vector<std::thread> threads;
    for (unsigned s = 0; s < submitters; ++s) {
      threads.emplace_back([&, s] {
        for (std::uint64_t next = 0; next < kPerSubmitter;) {
          const auto count = std::uint32_t(std::min<std::uint64_t>(batch, kPerSubmitter - next));
          const auto result = submit(reads(file, count, s * kPerSubmitter + next));
          next += result.submitted;
          if (result.error != 0) {
            EXPECT_EQ(result.error, EAGAIN);
            if (gave_up) return;
            std::this_thread::yield();
          }
        }
      });
    }
    for (unsigned r = 0; r < reapers; ++r) {
      threads.emplace_back([&] {
        std::int64_t last_ns = monotonic_ns();
        while (reaped < seen.size()) {
          const auto events = reap(batch, 1, in_ms(50));
          for (const IoEvent& event : events) seen[event.data] += 1;
          reaped += events.size();
          if (!events.empty()) last_ns = monotonic_ns();
          if (monotonic_ns() - last_ns > kLostNs) {  // below, `seen` says what was lost
            gave_up = true;
            break;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], 1) << i;
    EXPECT_TRUE(reap(1).empty());
  }
};
EVERY_STAGE(KioctxThreads);

TEST_P(KioctxThreads, FourSubmittersAndOneReaper) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(128);
  exactly_once(null, 4, 1, 32);
}

TEST_P(KioctxThreads, ThreeSubmittersAndThreeReapersOneAtATime) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(16);
  exactly_once(null, 3, 3, 1);
}

// Completions come from threads that neither submit nor reap.
TEST_P(KioctxThreads, CompletedElsewhere) {
  PendingFile device(PendingFile::Cancel::kYes);
  const std::uint32_t file = device.install(files_);
  setup(64);
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      while (!stop) {
        if (!device.complete_one()) std::this_thread::yield();
      }
    });
  }
  exactly_once(file, 2, 2, 8);
  stop = true;
  for (std::thread& worker : workers) worker.join();
}

// One request in flight and a reaper that sleeps for it: a lost wake-up would show as a time-out.
TEST_P(KioctxThreads, NoCompletionIsSleptThrough) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(1);
  constexpr std::uint64_t kRounds = 10'000;
  std::atomic<std::uint64_t> reaped{0};
  std::thread reaper([&] {
    for (std::uint64_t i = 0; i < kRounds; ++i) {
      const auto events = reap(1, 1, in_ms(20'000));
      ASSERT_EQ(events.size(), 1u);
      EXPECT_EQ(events[0].data, i);
      reaped.store(i + 1, std::memory_order_release);
    }
  });
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    ASSERT_EQ(submit(reads(null, 1, i)).submitted, 1u);
    while (reaped.load(std::memory_order_acquire) <= i) std::this_thread::yield();
  }
  reaper.join();
}

}  // namespace
}  // namespace aioscope::kioctx
