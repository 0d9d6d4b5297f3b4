// v3.7's retry path: a file operation that asks to be called again.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/delayed_work.h"
#include "drivers/kioctx/kiocb.h"
#include "tests/drivers/kioctx/failing_memory.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

using std::chrono::milliseconds;

struct RetryFile {
  std::atomic<int> calls{0};
  std::atomic<Kiocb*> waiting{nullptr};
  int retries = 1;            // calls that ask for another
  bool kick_at_once = false;  // what it waits for comes while it still runs

  static std::int64_t read(Kiocb* req) {
    auto& self = *static_cast<RetryFile*>(req->ki_filp->private_data);
    if (++self.calls > self.retries) return req->ki_nbytes;
    if (self.kick_at_once) {
      kick_iocb(req);
    } else {
      self.waiting = req;
    }
    return -kEIocbRetry;
  }
  static constexpr FileOperations kOperations{read, read};
};

class Retry : public StageFixture {
 protected:
  Retry() : StageFixture(0) {}  // v3.7
  void SetUp() override {
    number_ = files_.install(RetryFile::kOperations, &file_);
    setup(8);
  }
  void expect_one_event(const std::vector<IoEvent>& events) {
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].res, 512);
  }

  RetryFile file_;
  std::uint32_t number_ = 0;
};

TEST_F(Retry, IsNotCalledAgainBeforeTheKick) {
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(file_.calls, 1);
  EXPECT_TRUE(reap(1).empty());
  kick_iocb(file_.waiting);
  expect_one_event(reap(1, 1, in_ms(20'000)));
  EXPECT_EQ(file_.calls, 2);
}

TEST_F(Retry, AReaperRunsItItself) {
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  kick_iocb(file_.waiting);
  counts.reset();
  expect_one_event(reap(1, 1, in_ms(20'000)));  // long before the worker, a tenth of a second away
  EXPECT_GE(lock_count(LockSite::kCtxLockRetry).acquisitions, 1u);
}

TEST_F(Retry, ASubmitterRunsItToo) {
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  kick_iocb(file_.waiting);
  Iocb noop;
  ASSERT_EQ(submit({noop}).submitted, 1u);
  EXPECT_EQ(reap(2).size(), 2u);
}

TEST_F(Retry, TheWorkerRunsItWhenNobodyElseDoes) {
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  kick_iocb(file_.waiting);
  for (int i = 0; i < 1000 && file_.calls < 2; ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(file_.calls, 2);
  expect_one_event(reap(1, 1, in_ms(20'000)));
}

TEST_F(Retry, AKickWhileItRunsIsNotLost) {
  file_.kick_at_once = true;
  file_.retries = 5;
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  expect_one_event(reap(1, 1, in_ms(20'000)));
  EXPECT_EQ(file_.calls, 6);
}

TEST_F(Retry, WhoKicksRunsItWhereThereCanBeNoWorker) {
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  {
    const FailingMemory memory;
    kick_iocb(file_.waiting);
  }
  EXPECT_EQ(file_.calls, 2);
  expect_one_event(reap(1));
}

TEST_F(Retry, AKickWhileItRunsNeedsNoWorker) {
  submit({Iocb{}});  // memory for the next
  ASSERT_EQ(reap(1).size(), 1u);
  file_.kick_at_once = true;
  file_.retries = 5;
  const std::vector<Iocb> iocbs = reads(number_, 1);
  {
    const FailingMemory memory;
    EXPECT_EQ(submit(iocbs).submitted, 1u);
  }
  EXPECT_EQ(file_.calls, 6);
  expect_one_event(reap(1));
}

TEST_F(Retry, DestroyStopsTheWorker) {
  ASSERT_EQ(submit(reads(number_, 1)).submitted, 1u);
  kick_iocb(file_.waiting);
  destroy();  // waits for the request, which the worker runs
  EXPECT_EQ(file_.calls, 1) << "cancelled by the end of the context: it is not called again";
}

TEST(DelayedWork, IsCalledOnceAfterItsTime) {
  std::atomic<int> calls{0};
  DelayedWork work;
  work.init([](void* argument) { ++*static_cast<std::atomic<int>*>(argument); }, &calls);
  const std::int64_t start = monotonic_ns();
  work.queue(20'000'000);
  work.queue(0);  // queued already
  while (calls == 0) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_GE(monotonic_ns() - start, 20'000'000);
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(calls, 1);
  work.queue(0);
  while (calls == 1) std::this_thread::sleep_for(milliseconds(1));
  work.queue(3'600'000'000'000);
  work.cancel_sync();
  work.queue(0);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace aioscope::kioctx
