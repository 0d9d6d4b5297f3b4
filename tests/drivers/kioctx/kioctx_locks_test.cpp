// Which locks each path takes, and how often: the series' point, counted.
#include <gtest/gtest.h>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/counts.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

constexpr std::uint32_t kCount = 96;  // three of v3.7's batches

std::uint64_t taken(LockSite site) { return lock_count(site).acquisitions; }

// Without the depot of free requests, whose lock a thread takes at most once per 64 of them.
std::uint64_t taken_in_all() {
  std::uint64_t sum = 0;
  for (const LockCount& count : counts.locks) sum += count.acquisitions;
  return sum - taken(LockSite::kRequestDepot);
}

template <class T>
class KioctxLocks : public StageTest<T> {
 protected:
  void SetUp() override {
    file_ = device_.install(this->files_);
    this->setup(128);
    counts.reset();
  }

  PendingFile device_;
  std::uint32_t file_ = 0;
};
TYPED_TEST_SUITE(KioctxLocks, EveryStage, StageNames);

TYPED_TEST(KioctxLocks, OnSubmit) {
  ASSERT_EQ(this->submit(this->reads(this->file_, kCount)).submitted, kCount);
  if (TestFixture::kStage == kStageV37) {
    EXPECT_EQ(ctx_lock_acquisitions(), 3 * kCount + kCount / 32) << "3 + 1/32 per request";
    EXPECT_EQ(taken(LockSite::kCtxLockAllocBatch), kCount / 32);
    EXPECT_EQ(taken(LockSite::kCtxLockSubmit), kCount);
    EXPECT_EQ(taken(LockSite::kCtxLockStarted), kCount);
    EXPECT_EQ(taken(LockSite::kCtxLockPut), kCount);
    EXPECT_EQ(taken_in_all(), ctx_lock_acquisitions());
  }
  if (TestFixture::kStage == kStageSeries) {
    EXPECT_EQ(taken_in_all(), 0u);
  }
  this->device_.complete_all();
}

TYPED_TEST(KioctxLocks, OnCompletion) {
  ASSERT_EQ(this->submit(this->reads(this->file_, kCount)).submitted, kCount);
  counts.reset();
  this->device_.complete_all();
  EXPECT_EQ(taken(LockSite::kWaitLock), 0u) << "nobody waits";
  if (TestFixture::kStage == kStageV37) {
    EXPECT_EQ(taken(LockSite::kCtxLockComplete), kCount);
    EXPECT_EQ(taken_in_all(), kCount);
  }
  if (TestFixture::kStage == kStageSeries) {
    EXPECT_EQ(taken(LockSite::kTail), kCount);
    EXPECT_EQ(taken_in_all(), kCount);
  }
}

TYPED_TEST(KioctxLocks, OnReap) {
  ASSERT_EQ(this->submit(this->reads(this->file_, kCount)).submitted, kCount);
  this->device_.complete_all();
  counts.reset();
  EXPECT_EQ(this->reap(kCount).size(), kCount);
  EXPECT_EQ(taken(LockSite::kRingLock), TestFixture::kStage.bulk_reap ? 1u : kCount);
  EXPECT_EQ(taken_in_all(), taken(LockSite::kRingLock));
}

// A batch that is cut short gives back under the lock what it did not use.
TYPED_TEST(KioctxLocks, OnARefusedRequest) {
  auto iocbs = this->reads(this->file_, 4);
  iocbs[2].fildes = 99;
  EXPECT_EQ(this->submit(iocbs).submitted, 2u);
  EXPECT_EQ(taken(LockSite::kCtxLockFreeBatch), TestFixture::kStage.no_batch_alloc ? 0u : 1u);
  this->device_.complete_all();
}

TYPED_TEST(KioctxLocks, ACancellableRequestTakesCtxLockInTheSeriesToo) {
  PendingFile cancellable(PendingFile::Cancel::kYes);
  const std::uint32_t file = cancellable.install(this->files_);
  ASSERT_EQ(this->submit(this->reads(file, kCount)).submitted, kCount);
  cancellable.complete_all();
  EXPECT_EQ(taken(LockSite::kCtxLockListed), TestFixture::kStage.lazy_cancel ? 2 * kCount : 0u);
}

}  // namespace
}  // namespace aioscope::kioctx
