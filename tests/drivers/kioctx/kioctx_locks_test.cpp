// Which locks each path takes, and how often: the series' point, counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/percpu.h"
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

class KioctxLocks : public StageTest {
 protected:
  void SetUp() override {
    file_ = device_.install(files_);
    setup(128);
    counts.reset();
  }

  // Often enough for percpu-refcount to count references per CPU, though the thread be away for a
  // second meanwhile.
  void use_much() {
    for (int i = 0; i < 3 * 16384; ++i) calls().io_describe(id_);
  }

  PendingFile device_;
  std::uint32_t file_ = 0;
};
EVERY_STAGE(KioctxLocks);

// ctx_lock per request: 3 + 1/32, less one for each of the patches that were about it.
TEST_P(KioctxLocks, OnSubmit) {
  const Stage& s = stage();
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  EXPECT_EQ(taken(LockSite::kCtxLockAllocBatch), s.no_batch_alloc ? 0 : kCount / 32);
  EXPECT_EQ(taken(LockSite::kCtxLockSubmit), s.refcounting ? 0 : kCount);
  EXPECT_EQ(taken(LockSite::kCtxLockStarted), s.no_retry ? 0 : kCount);
  EXPECT_EQ(taken(LockSite::kCtxLockPut), s.lockless_put ? 0 : kCount);
  EXPECT_EQ(taken_in_all(), taken(LockSite::kCtxLockAllocBatch) + taken(LockSite::kCtxLockSubmit) +
                                taken(LockSite::kCtxLockStarted) + taken(LockSite::kCtxLockPut));
  device_.complete_all();
}

// What the patches say of ctx_lock on submit, whatever the stages' switches say.
TEST_P(KioctxLocks, OfTheSeriesFallFromThreeAndAThirtySecondToNone) {
  struct Locks {
    std::string_view stage;
    std::uint32_t per_request;
    std::uint32_t per_batch_of_32;
  };
  constexpr std::array kLocks = std::to_array<Locks>({{"v3.7", 3, 1},
                                                      {"no-retry", 2, 1},
                                                      {"slot-before-file", 2, 1},
                                                      {"lockless-put", 1, 1},
                                                      {"refcounting", 0, 1},
                                                      {"active-until-reaped", 0, 1},
                                                      {"no-batch-alloc", 0, 0},
                                                      {"series", 0, 0}});
  const auto* const locks = std::ranges::find(kLocks, kStages[GetParam()].name, &Locks::stage);
  if (locks == kLocks.end()) GTEST_SKIP() << "no patch was about it";
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  EXPECT_EQ(taken_in_all(), locks->per_request * kCount + locks->per_batch_of_32 * kCount / 32);
  device_.complete_all();
}

// A lookup and its end are two, until the context's references are counted per CPU: in mainline
// from birth, since percpu-refcount when it has been used much.
TEST_P(KioctxLocks, SharedReadModifyWritesOfALookup) {
  const auto of_one = [this] {
    counts.reset();
    calls().io_describe(id_);
    return counts.shared_rmw();
  };
  EXPECT_EQ(of_one(), stage().table_lookup ? 0u : 2u);
  use_much();
  EXPECT_EQ(of_one(), stage().percpu_refcount ? 0u : 2u);
}

// Shared lines written for a request by its submitter: claim C3. Of a new context, and of one that
// has been used much.
TEST_P(KioctxLocks, SharedReadModifyWritesOnSubmit) {
  const Stage& s = stage();
  const std::uint32_t batch = calls().io_describe(id_).req_batch;
  for (const bool used_much : {false, true}) {
    SCOPED_TRACE(used_much);
    if (used_much) use_much();
    counts.reset();
    ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
    std::uint64_t expected = taken_in_all() + taken(LockSite::kRequestDepot);
    const bool per_cpu = s.table_lookup || (s.percpu_refcount && used_much);
    if (!per_cpu) expected += 2;  // the lookup and its end, once per call
    if (!s.no_batch_alloc && s.lockless_put) expected += kCount;  // reqs_active, under lock
    if (s.no_batch_alloc && !s.percpu_reqs_available) expected += kCount;
    EXPECT_GE(counts.shared_rmw(), expected);
    if (s.percpu_reqs_available) expected += 2 * (kCount / batch + 1);  // borrowed in batches
    EXPECT_LE(counts.shared_rmw(), expected);
    device_.complete_all();
    ASSERT_EQ(reap(kCount).size(), kCount);
  }
}

TEST_P(KioctxLocks, OneAllocationForARequest) {
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  EXPECT_GE(counts.allocations, kCount);
  EXPECT_LE(counts.allocations, kCount + kCount / 32) << "and one for 64 when the cache is empty";
  EXPECT_EQ(counts.wakeups, 0u);
  device_.complete_all();
}

TEST_P(KioctxLocks, OnCompletion) {
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  counts.reset();
  device_.complete_all();
  EXPECT_EQ(taken(LockSite::kWaitLock), 0u) << "nobody waits";
  const Stage& s = stage();
  LockSite lock = LockSite::kCtxLockComplete;
  if (s.lazy_cancel) lock = LockSite::kCompletionLock;
  if (s.xchg_tail) lock = LockSite::kTail;
  if (s.percpu_rings) lock = LockSite::kCpuRing;
  const bool lockless = s.percpu_rings && percpu_uses_rseq();
  EXPECT_EQ(taken(lock), lockless ? 0 : kCount);
  EXPECT_EQ(taken_in_all(), taken(lock));
  // How full the thread's cache of requests was left by earlier tests decides whether freeing
  // these spills into the depot.
  const std::uint64_t spills = taken(LockSite::kRequestDepot);
  EXPECT_LE(spills, kCount / 64 + 1);
  if (s.xchg_tail) {
    EXPECT_EQ(counts.shared_rmw(), kCount + spills) << "to lock alone";
  }
  if (lockless) {
    EXPECT_EQ(counts.shared_rmw(), spills) << "completing writes to no other shared line";
  }
}

// References to a file are no line of the context's, and not counted. percpu-rings, which claims to
// write no shared line at all, takes and drops them on this CPU.
TEST_P(KioctxLocks, OnTheFile) {
  File* const file = files_.fget(file_);
  const std::int64_t before = file->f_count;
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  EXPECT_EQ(file->f_count - before, stage().percpu_rings ? 0 : kCount);
  EXPECT_EQ(files_.references(), 1 + kCount);
  device_.complete_all();
  EXPECT_EQ(file->f_count, before);
  EXPECT_EQ(files_.references(), 1);
  fput(file);
}

// What one interrupt completes: batch-completion updates the ring once.
TEST_P(KioctxLocks, OnACompletedBatch) {
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  counts.reset();
  device_.complete_batch(kCount);
  const Stage& s = stage();
  const bool lockless = s.percpu_rings && percpu_uses_rseq();
  std::uint32_t updates = kCount;
  if (s.batch_completion) updates = s.percpu_rings ? kCount / 32 : 1;
  EXPECT_EQ(taken_in_all(), lockless ? 0 : updates);
  const auto events = reap(kCount);
  ASSERT_EQ(events.size(), kCount);
}

// Requests that are done when their file operation returns: percpu-rings posts those of a call
// together, and all of them before the call returns.
TEST_P(KioctxLocks, OnCompletionWithinTheCall) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  ASSERT_EQ(submit(reads(null, 1 + kCount)).submitted, 1 + kCount);
  const Stage& s = stage();
  if (s.percpu_rings) {
    EXPECT_EQ(taken(LockSite::kCpuRing), percpu_uses_rseq() ? 0u : kCount / 32 + 1);
  } else if (s.xchg_tail) {
    EXPECT_EQ(taken(LockSite::kTail), 1 + kCount);
  }
  const auto events = reap(2 * kCount);
  ASSERT_EQ(events.size(), 1 + kCount);
  for (std::uint32_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].data, i);
}

TEST_P(KioctxLocks, OnReap) {
  ASSERT_EQ(submit(reads(file_, kCount)).submitted, kCount);
  device_.complete_all();
  counts.reset();
  EXPECT_EQ(reap(kCount).size(), kCount);
  EXPECT_EQ(taken(LockSite::kRingLock), stage().bulk_reap ? 1u : kCount);
  EXPECT_EQ(taken_in_all(), taken(LockSite::kRingLock));
}

// A batch that is cut short gives back under the lock what it did not use.
TEST_P(KioctxLocks, OnARefusedRequest) {
  auto iocbs = reads(file_, 4);
  iocbs[2].fildes = 99;
  EXPECT_EQ(submit(iocbs).submitted, 2u);
  const Stage& s = stage();
  // Where it had its slot already and is put without the lock, that is given back under it too.
  const unsigned given_back = s.slot_before_file && s.lockless_put ? 2 : 1;
  EXPECT_EQ(taken(LockSite::kCtxLockFreeBatch), s.no_batch_alloc ? 0 : given_back);
  device_.complete_all();
}

TEST_P(KioctxLocks, ACancellableRequestTakesCtxLockInTheSeriesToo) {
  PendingFile cancellable(PendingFile::Cancel::kYes);
  const std::uint32_t file = cancellable.install(files_);
  ASSERT_EQ(submit(reads(file, kCount)).submitted, kCount);
  cancellable.complete_all();
  EXPECT_EQ(taken(LockSite::kCtxLockListed), stage().lazy_cancel ? 2 * kCount : 0u);
}

}  // namespace
}  // namespace aioscope::kioctx
