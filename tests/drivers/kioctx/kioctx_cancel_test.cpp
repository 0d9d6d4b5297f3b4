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

template <class T>
class KioctxCancel : public StageTest<T> {
 protected:
  void SetUp() override { file_ = device_.install(this->files_); }

  int cancel(std::uint64_t data, IoEvent* event) {
    return TestFixture::Calls::io_cancel(this->id_, data, event);
  }
  using TestFixture = StageTest<T>;

  PendingFile device_{PendingFile::Cancel::kYes};
  std::uint32_t file_ = 0;
};
TYPED_TEST_SUITE(KioctxCancel, EveryStage, StageNames);

TYPED_TEST(KioctxCancel, ACancelledRequestPostsNoEvent) {
  this->setup(8);
  ASSERT_EQ(this->submit(this->reads(this->file_, 3)).submitted, 3u);
  IoEvent event;
  EXPECT_EQ(this->cancel(1, &event), 0);
  EXPECT_EQ(event.data, 1u);
  EXPECT_EQ(event.res, -ECANCELED);
  EXPECT_EQ(this->device_.count(), 2u);
  EXPECT_EQ(this->cancel(1, &event), -EINVAL) << "it is gone";
  this->device_.complete_all();
  const auto events = this->reap(8);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].data, 0u);
  EXPECT_EQ(events[1].data, 2u);
}

TYPED_TEST(KioctxCancel, GivesTheSlotBack) {
  this->setup(1);
  const OneCpu pinned;
  const std::uint32_t slots = this->fill(this->file_);
  IoEvent event;
  for (std::uint32_t i = 0; i < slots; ++i) EXPECT_EQ(this->cancel(i, &event), 0);
  EXPECT_EQ(this->fill(this->file_), slots);
  this->device_.complete_all();
}

TYPED_TEST(KioctxCancel, WhatCannotBeCancelledIsRefused) {
  PendingFile stubborn;
  const std::uint32_t file = stubborn.install(this->files_);
  this->setup(8);
  ASSERT_EQ(this->submit(this->reads(file, 1)).submitted, 1u);
  IoEvent event;
  EXPECT_EQ(this->cancel(0, &event), -EINVAL);
  EXPECT_EQ(this->cancel(77, &event), -EINVAL);
  stubborn.complete_all();
  EXPECT_EQ(this->reap(8).size(), 1u) << "a refused cancel must not eat the event";
}

// One thread works on requests while another cancels them: each ends once, one way or the other.
TYPED_TEST(KioctxCancel, EachRequestEndsOnce) {
  this->setup(64);
  constexpr std::uint32_t kRounds = 500;
  constexpr std::uint32_t kCount = 16;
  std::uint64_t cancelled = 0;
  std::uint64_t completed = 0;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    ASSERT_EQ(this->submit(this->reads(this->file_, kCount)).submitted, kCount);
    std::vector<int> ends(kCount, 0);
    std::thread worker([&] { this->device_.complete_all(); });
    for (std::uint32_t i = kCount; i-- > 0;) {
      IoEvent event;
      if (this->cancel(i, &event) == 0) {
        ++ends[i];
        ++cancelled;
      }
    }
    worker.join();
    for (const IoEvent& event : this->reap(kCount)) {
      EXPECT_EQ(event.res, 512);
      ++ends[event.data];
      ++completed;
    }
    for (std::uint32_t i = 0; i < kCount; ++i) EXPECT_EQ(ends[i], 1) << i;
  }
  EXPECT_EQ(cancelled + completed, std::uint64_t{kRounds} * kCount);
}

TYPED_TEST(KioctxCancel, DestroyCancelsWhatCanBe) {
  this->setup(64);
  ASSERT_EQ(this->submit(this->reads(this->file_, 40)).submitted, 40u);
  this->destroy();
  EXPECT_EQ(this->device_.count(), 0u);
}

TYPED_TEST(KioctxCancel, DestroyWaitsForTheRest) {
  PendingFile stubborn;
  const std::uint32_t file = stubborn.install(this->files_);
  this->setup(64);
  ASSERT_EQ(this->submit(this->reads(file, 40)).submitted, 40u);
  ASSERT_EQ(this->submit(this->reads(this->file_, 5)).submitted, 5u);
  std::atomic<bool> destroyed{false};
  std::thread destroyer([&] {
    this->destroy();
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
TYPED_TEST(KioctxCancel, DestroyDoesNotWaitForAReaper) {
  const std::uint32_t null = this->files_.install(kNullFile, nullptr);
  this->setup(64);
  ASSERT_EQ(this->submit(this->reads(null, 64)).submitted, 64u);
  EXPECT_EQ(this->reap(10).size(), 10u);
  this->destroy();
}

TYPED_TEST(KioctxCancel, DestroyWakesAReaper) {
  this->setup(8);
  std::int64_t result = 0;
  std::thread reaper([&] {
    std::vector<IoEvent> events(1);
    result = TestFixture::Calls::io_getevents(this->id_, 1, events, this->kForever);
  });
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(TestFixture::Calls::io_destroy(this->id_), 0);
  reaper.join();
  this->id_ = 0;
  EXPECT_EQ(result, -EINVAL);
}

// refcounting: who looks a context up is in a read section, and what he finds must not end before
// he has a reference.
TYPED_TEST(KioctxCancel, DestroyWaitsForLookups) {
  if (!TestFixture::kStage.refcounting) GTEST_SKIP() << "v3.7 refuses a context without users";
  this->setup(8);
  std::atomic<bool> looking{false};
  std::atomic<bool> done{false};
  std::thread reader([&] {
    const RcuReadGuard guard;
    looking = true;
    std::this_thread::sleep_for(milliseconds(50));
    done = true;
  });
  while (!looking) std::this_thread::yield();
  this->destroy();
  EXPECT_TRUE(done);
  reader.join();
}

TYPED_TEST(KioctxCancel, OnlyOneDestroySucceedsWhileOthersUseIt) {
  const std::uint32_t null = this->files_.install(kNullFile, nullptr);
  for (int round = 0; round < 30; ++round) {
    this->setup(64);
    const AioContextId id = this->id_;
    std::vector<std::thread> users;
    for (int i = 0; i < 3; ++i) {
      users.emplace_back([&, id] {
        std::vector<IoEvent> events(16);
        const auto iocbs = this->reads(null, 8);
        while (TestFixture::Calls::io_submit(id, this->files_, iocbs).error != EINVAL &&
               TestFixture::Calls::io_getevents(id, 0, events, 0) != -EINVAL) {
        }
      });
    }
    std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(TestFixture::Calls::io_destroy(id), 0);
    EXPECT_EQ(TestFixture::Calls::io_destroy(id), -EINVAL);
    for (std::thread& user : users) user.join();
    this->id_ = 0;
  }
}

}  // namespace
}  // namespace aioscope::kioctx
