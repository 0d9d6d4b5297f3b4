// Without memory a call is refused, and nothing is lost: no slot, no lock, no request.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>
#include <thread>
#include <vector>

#include "drivers/kioctx/delayed_work.h"
#include "drivers/kioctx/file_workers.h"
#include "drivers/kioctx/kiocb.h"
#include "drivers/kioctx/percpu_ref.h"
#include "tests/drivers/kioctx/failing_memory.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

class OutOfMemory : public StageTest {};
EVERY_STAGE(OutOfMemory);

TEST_P(OutOfMemory, ARefusedSetupKeepsNothing) {
  setup(128);  // what is made once per thread and process
  destroy();
  int enough = 0;
  for (int error = -ENOMEM; error != 0; ++enough) {
    const long before = live_allocations();
    {
      const FailingMemory memory(enough);
      error = calls().io_setup(128, &id_);
    }
    if (error == 0) break;
    EXPECT_EQ(error, -ENOMEM);
    EXPECT_EQ(live_allocations(), before) << "with " << enough << " allocations";
    ASSERT_LT(enough, 100);
  }
  EXPECT_GE(enough, 2) << "at least the context and its ring";
}

// Keeps its requests, in memory that is there before.
struct KeepingFile {
  std::vector<Kiocb*> kept;

  static std::int64_t keep(Kiocb* req) {
    static_cast<KeepingFile*>(req->ki_filp->private_data)->kept.push_back(req);
    return -kEIocbQueued;
  }
  static constexpr FileOperations kOperations{keep, keep};
};

TEST_P(OutOfMemory, TheEndOfAContextNeedsNone) {
  setup(128);  // what is made once per thread and process
  destroy();
  setup(128);
  const FailingMemory memory;
  EXPECT_NO_THROW(destroy());
}

TEST_P(OutOfMemory, ARefusedRequestKeepsNoSlot) {
  const OneCpu pinned;
  KeepingFile keeper;
  const std::uint32_t file = files_.install(KeepingFile::kOperations, &keeper);
  setup(4096);
  const ContextInfo info = calls().io_describe(id_);
  const std::uint32_t batch = std::max(info.req_batch, 1u);
  const std::uint32_t usable = info.slots / batch * batch;
  keeper.kept.reserve(usable);
  const std::vector<Iocb> some = reads(file, 31);  // so that memory ends within a call
  IoSubmitResult result = submit(some);
  ASSERT_EQ(result.error, 0);
  {
    const FailingMemory memory;
    while (result.error == 0) result = submit(some);
    for (int i = 0; i < 100; ++i) submit(some);
  }
  EXPECT_EQ(result.error, EAGAIN);
  const auto accepted = std::uint32_t(keeper.kept.size());
  EXPECT_EQ(accepted + fill(file), usable);
  for (Kiocb* req : keeper.kept) aio_complete(req, req->ki_nbytes);
  std::size_t reaped = 0;
  while (const std::size_t got = reap(256).size()) reaped += got;
  EXPECT_EQ(reaped, usable);
  if (accepted == usable) GTEST_SKIP() << "this stage by another name has left memory for all";
}

TEST(PercpuRef, GoesOnWithoutMemoryForCounters) {
  constexpr int kGetsUntilCounters = 16384;
  PercpuRef ref;
  {
    const FailingMemory memory;
    for (int i = 0; i < kGetsUntilCounters; ++i) ref.get();
  }
  EXPECT_EQ(ref.state(), PercpuRef::State::kNone);
  for (int i = 0; i < kGetsUntilCounters; ++i) EXPECT_FALSE(ref.put());
  EXPECT_TRUE(ref.kill());
  EXPECT_TRUE(ref.put());
}

TEST(FileWorkers, OnesThatWereStartedEndWithoutTheRest) {
  const FailingMemory memory(4);  // for two of them
  EXPECT_THROW(FileWorkers(8), std::bad_alloc);
}

TEST(DelayedWork, IsNotQueuedWithoutAThread) {
  std::atomic<int> calls{0};
  DelayedWork work;
  work.init([](void* argument) { ++*static_cast<std::atomic<int>*>(argument); }, &calls);
  {
    const FailingMemory memory;
    EXPECT_FALSE(work.queue(0));
  }
  EXPECT_TRUE(work.queue(0));
  while (calls == 0) std::this_thread::yield();
}

}  // namespace
}  // namespace aioscope::kioctx
