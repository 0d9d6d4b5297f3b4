// Cancelling, and the end of a context that is in use.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/rcu.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

using std::chrono::milliseconds;

class KioctxCancel : public StageTest {
 protected:
  void SetUp() override { file_ = device_.install(files_); }

  int cancel(std::uint64_t data, IoEvent* event) { return calls().io_cancel(id_, data, event); }
  // What io_cancel() answers when it has cancelled.
  int answer_of_a_cancel() const { return stage().event_for_cancelled ? -EINPROGRESS : 0; }

  PendingFile device_{PendingFile::Cancel::kYes};
  std::uint32_t file_ = 0;
};
EVERY_STAGE(KioctxCancel);

// Until today's kernel: the caller of io_cancel() has the event, and the ring does not.
TEST_P(KioctxCancel, ACancelledRequestPostsNoEvent) {
  if (stage().event_for_cancelled) GTEST_SKIP() << "it posts one, see below";
  setup(8);
  ASSERT_EQ(submit(reads(file_, 3)).submitted, 3u);
  IoEvent event;
  EXPECT_EQ(cancel(1, &event), 0);
  EXPECT_EQ(event.data, 1u);
  EXPECT_EQ(event.res, -ECANCELED);
  EXPECT_EQ(device_.count(), 2u);
  EXPECT_EQ(cancel(1, &event), -EINVAL) << "it is gone";
  device_.complete_all();
  const auto events = reap(8);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].data, 0u);
  EXPECT_EQ(events[1].data, 2u);
}

TEST_P(KioctxCancel, ACancelledRequestPostsItsEventInMainline) {
  if (!stage().event_for_cancelled) GTEST_SKIP() << "it posts none, see above";
  setup(8);
  ASSERT_EQ(submit(reads(file_, 3)).submitted, 3u);
  IoEvent event{.res = 77};
  EXPECT_EQ(cancel(1, &event), -EINPROGRESS);
  EXPECT_EQ(event.res, 77) << "is not written any more";
  EXPECT_EQ(cancel(1, &event), -EINVAL) << "it is gone";
  device_.complete_all();
  const auto events = reap(8);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].data, 1u);
  EXPECT_EQ(events[0].res, -ECANCELED);
}

TEST_P(KioctxCancel, GivesTheSlotBack) {
  setup(1);
  const OneCpu pinned;
  const std::uint32_t slots = fill(file_);
  IoEvent event;
  for (std::uint32_t i = 0; i < slots; ++i) {
    EXPECT_EQ(cancel(i, &event), answer_of_a_cancel());
    if (stage().event_for_cancelled) {
      EXPECT_EQ(reap(1).size(), 1u);
    }
  }
  EXPECT_EQ(fill(file_), slots);
  device_.complete_all();
}

TEST_P(KioctxCancel, WhatCannotBeCancelledIsRefused) {
  PendingFile stubborn;
  const std::uint32_t file = stubborn.install(files_);
  setup(8);
  ASSERT_EQ(submit(reads(file, 1)).submitted, 1u);
  IoEvent event;
  EXPECT_EQ(cancel(0, &event), -EINVAL);
  EXPECT_EQ(cancel(77, &event), -EINVAL);
  stubborn.complete_all();
  EXPECT_EQ(reap(8).size(), 1u) << "a refused cancel must not eat the event";
}

// One thread works on requests while another cancels them: each ends once, one way or the other.
TEST_P(KioctxCancel, EachRequestEndsOnce) {
  setup(64);
  constexpr std::uint32_t kRounds = 500;
  constexpr std::uint32_t kCount = 16;
  std::uint64_t cancelled = 0;
  std::uint64_t completed = 0;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
    std::vector<int> ends(kCount, 0);
    std::thread worker([&] { device_.complete_all(); });
    for (std::uint32_t i = kCount; i-- > 0;) {
      IoEvent event;
      if (cancel(i, &event) != answer_of_a_cancel()) continue;
      ++cancelled;
      if (!stage().event_for_cancelled) ++ends[i];
    }
    worker.join();
    for (const IoEvent& event : reap(kCount)) {
      if (event.res != -ECANCELED) {
        EXPECT_EQ(event.res, 512);
        ++completed;
      }
      ++ends[event.data];
    }
    for (std::uint32_t i = 0; i < kCount; ++i) EXPECT_EQ(ends[i], 1) << i;
  }
  EXPECT_EQ(cancelled + completed, std::uint64_t{kRounds} * kCount);
}

TEST_P(KioctxCancel, DestroyCancelsWhatCanBe) {
  setup(64);
  ASSERT_EQ(submit(reads(file_, 40)).submitted, 40u);
  destroy();
  EXPECT_EQ(device_.count(), 0u);
}

TEST_P(KioctxCancel, DestroyWaitsForTheRest) {
  PendingFile stubborn;
  const std::uint32_t file = stubborn.install(files_);
  setup(64);
  ASSERT_EQ(submit(reads(file, 40)).submitted, 40u);
  ASSERT_EQ(submit(reads(file_, 5)).submitted, 5u);
  std::atomic<bool> destroyed{false};
  std::thread destroyer([&] {
    destroy();
    destroyed = true;
  });
  for (int i = 0; i < 40; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    EXPECT_FALSE(destroyed) << i;
    EXPECT_TRUE(stubborn.complete_one());
  }
  destroyer.join();
}

// Events that nobody has reaped are slots that are taken: the teardown reaps them itself.
TEST_P(KioctxCancel, DestroyDoesNotWaitForAReaper) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(64);
  ASSERT_EQ(submit(reads(null, 64)).submitted, 64u);
  EXPECT_EQ(reap(10).size(), 10u);
  destroy();
}

TEST_P(KioctxCancel, DestroyWakesAReaper) {
  setup(8);
  std::int64_t result = 0;
  std::thread reaper([&] {
    std::vector<IoEvent> events(1);
    result = calls().io_getevents(id_, 1, events, kForever);
  });
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(calls().io_destroy(id_), 0);
  reaper.join();
  id_ = 0;
  EXPECT_EQ(result, -EINVAL);
}

// refcounting: who looks a context up is in a read section, and what he finds must not end before
// he has a reference.
TEST_P(KioctxCancel, DestroyWaitsForLookups) {
  if (!stage().refcounting) GTEST_SKIP() << "a context without users is refused";
  if (stage().table_lookup) GTEST_SKIP() << "a context without users is refused";
  setup(8);
  std::atomic<bool> looking{false};
  std::atomic<bool> done{false};
  std::thread reader([&] {
    const RcuReadGuard guard;
    looking = true;
    std::this_thread::sleep_for(milliseconds(50));
    done = true;
  });
  while (!looking) std::this_thread::yield();
  destroy();
  EXPECT_TRUE(done);
  reader.join();
}

TEST_P(KioctxCancel, OnlyOneDestroySucceedsWhileOthersUseIt) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  for (int round = 0; round < 30; ++round) {
    setup(64);
    const AioContextId id = id_;
    std::vector<std::thread> users;
    for (int i = 0; i < 3; ++i) {
      users.emplace_back([&, id] {
        std::vector<IoEvent> events(16);
        const auto iocbs = reads(null, 8);
        while (calls().io_submit(id, files_, iocbs).error != EINVAL &&
               calls().io_getevents(id, 0, events, 0) != -EINVAL) {
        }
      });
    }
    std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(calls().io_destroy(id), 0);
    EXPECT_EQ(calls().io_destroy(id), -EINVAL);
    for (std::thread& user : users) user.join();
    id_ = 0;
  }
}

}  // namespace
}  // namespace aioscope::kioctx
