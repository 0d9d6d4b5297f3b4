// What a context promises at every stage, and where the stages differ.
#include "drivers/kioctx/kioctx.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/reqs_available.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

class Kioctx : public StageTest {};
EVERY_STAGE(Kioctx);

TEST_P(Kioctx, SetupRefusesSizesThatMakeNoSense) {
  AioContextId id = 0;
  EXPECT_EQ(calls().io_setup(0, &id), -EINVAL);
  EXPECT_EQ(calls().io_setup(UINT32_MAX, &id), -EINVAL);
}

TEST_P(Kioctx, AnUnknownContextIsRefused) {
  setup(1);
  const AioContextId gone = id_;
  destroy();
  std::vector<IoEvent> events(1);
  EXPECT_EQ(calls().io_submit(gone, files_, reads(0, 1)).error, EINVAL);
  EXPECT_EQ(calls().io_getevents(gone, 0, events, 0), -EINVAL);
  EXPECT_EQ(calls().io_cancel(gone, 0, events.data()), -EINVAL);
  EXPECT_EQ(calls().io_destroy(gone), -EINVAL);
  EXPECT_EQ(calls().io_describe(gone).nr_events, 0u);
}

TEST_P(Kioctx, WhatNeverWasAContextIsRefused) {
  setup(1);
  for (const AioContextId id : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, id_ + 1,
                                id_ ^ std::uint64_t{1} << 48, id_ ^ std::uint64_t{1} << 63}) {
    EXPECT_EQ(calls().io_submit(id, files_, reads(0, 1)).error, EINVAL) << id;
    EXPECT_EQ(calls().io_destroy(id), -EINVAL) << id;
  }
}

TEST(KioctxId, KeepsAnAddressOf48Bits) {
  const std::uint64_t ring = 0xffff'ffff'f000;  // as the highest on aarch64
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(ring_of(ring)), ring);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(ring_of(ring | std::uint64_t{3} << 48)), ring);
}

TEST_P(Kioctx, FindsEachOfManyContexts) {
  std::vector<AioContextId> ids(20);
  for (std::uint32_t i = 0; i < ids.size(); ++i) {
    ASSERT_EQ(calls().io_setup(128 * (i + 1), &ids[i]), 0);
  }
  for (std::uint32_t i = 0; i < ids.size(); i += 3) calls().io_destroy(ids[i]);
  for (std::uint32_t i = 0; i < ids.size(); ++i) {
    const std::uint32_t slots = calls().io_describe(ids[i]).slots;
    if (i % 3 == 0) {
      EXPECT_EQ(slots, 0u);
    } else {
      EXPECT_GE(slots, 128 * (i + 1));
      EXPECT_EQ(calls().io_destroy(ids[i]), 0);
    }
  }
}

TEST_P(Kioctx, RingHasTheStagesSize) {
  setup(1024);
  const ContextInfo info = calls().io_describe(id_);
  const RingSize expected =
      stage().percpu_reqs_available ? ring_size_percpu(1024, num_possible_cpus()) : ring_size(1024);
  EXPECT_EQ(info.nr_events, expected.nr_events);
  EXPECT_EQ(info.slots, expected.nr_events - 1);
  EXPECT_EQ(info.req_batch, expected.req_batch);
}

TEST_P(Kioctx, CharacterFilesAnswerAsTheKernels) {
  const OneCpu pinned;
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  const std::uint32_t zero = files_.install(kZeroFile, nullptr);
  setup(8);
  std::vector<std::byte> buffer(512, std::byte{1});
  std::vector<Iocb> iocbs{
      {.data = 0,
       .buf = buffer.data(),
       .nbytes = 512,
       .fildes = null,
       .opcode = IocbCommand::kPread},
      {.data = 1,
       .buf = buffer.data(),
       .nbytes = 512,
       .fildes = null,
       .opcode = IocbCommand::kPwrite},
      {.data = 2,
       .buf = buffer.data(),
       .nbytes = 256,
       .fildes = zero,
       .opcode = IocbCommand::kPread},
      {.data = 3,
       .buf = buffer.data(),
       .nbytes = 512,
       .fildes = zero,
       .opcode = IocbCommand::kPwrite},
      {.data = 4, .buf = nullptr, .nbytes = 512, .fildes = zero, .opcode = IocbCommand::kPread},
      {.data = 5, .buf = nullptr, .nbytes = 0, .fildes = zero, .opcode = IocbCommand::kPread},
      {.data = 6, .fildes = 99, .opcode = IocbCommand::kNoop},
  };
  ASSERT_EQ(submit(iocbs).submitted, iocbs.size());
  const auto events = reap(8);
  ASSERT_EQ(events.size(), iocbs.size());
  const std::int64_t results[] = {0, 512, 256, 512, -EFAULT, 0, 0};
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].data, i);
    EXPECT_EQ(events[i].obj, i);
    EXPECT_EQ(events[i].res, results[i]) << i;
  }
  EXPECT_EQ(buffer[255], std::byte{0});
  EXPECT_EQ(buffer[256], std::byte{1});
}

TEST_P(Kioctx, AcceptsAPrefix) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(128);
  auto iocbs = reads(null, 100);
  iocbs[70].fildes = 99;
  const IoSubmitResult result = submit(iocbs);
  EXPECT_EQ(result.submitted, 70u);
  EXPECT_EQ(result.error, EBADF);
  EXPECT_EQ(reap(128).size(), 70u);
  EXPECT_EQ(submit({}).submitted, 0u);
}

// Requests without an event yet hold their slots, and so do events that nobody has reaped.
TEST_P(Kioctx, IsFullWithWhatIsInFlightAndUnreaped) {
  const OneCpu pinned;
  PendingFile device;
  const std::uint32_t file = device.install(files_);
  setup(50);
  const ContextInfo info = calls().io_describe(id_);
  // What is less than a batch in the global number cannot be borrowed.
  const std::uint32_t usable =
      info.req_batch == 0 ? info.slots : info.slots / info.req_batch * info.req_batch;
  EXPECT_EQ(fill(file), usable);
  EXPECT_GE(usable, 50u);
  EXPECT_TRUE(device.complete_one());
  EXPECT_EQ(fill(file), 0u) << "an event that is not reaped has its slot";
  EXPECT_EQ(reap(1).size(), 1u);
  EXPECT_EQ(fill(file), 1u);
  device.complete_all();
  std::uint32_t reaped = 0;
  while (const std::size_t got = reap(7).size()) reaped += std::uint32_t(got);
  EXPECT_EQ(reaped, usable);
  EXPECT_EQ(fill(file), usable) << "all slots came back";
  device.complete_all();
}

TEST_P(Kioctx, GoesRoundTheRingInOrder) {
  const OneCpu pinned;  // percpu-rings keeps the order of one CPU
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(50);
  std::uint64_t submitted = 0;
  std::uint64_t reaped = 0;
  for (int round = 0; round < 500; ++round) {
    const auto count = std::uint32_t(1 + round % 50);
    submitted += submit(reads(null, count, submitted)).submitted;
    for (const IoEvent& event : reap(1 + round % 37)) EXPECT_EQ(event.data, reaped++);
  }
  EXPECT_GT(submitted, 20u * calls().io_describe(id_).nr_events);
  while (reaped < submitted) {
    for (const IoEvent& event : reap(64)) EXPECT_EQ(event.data, reaped++);
  }
  EXPECT_TRUE(reap(1).empty());
}

// Where both apply: v3.7 looks at the file first, the series at the ring.
TEST_P(Kioctx, AFullRingAndABadFile) {
  PendingFile device;
  const std::uint32_t file = device.install(files_);
  setup(1);
  fill(file);
  const IoSubmitResult result = submit(reads(99, 1));
  EXPECT_EQ(result.submitted, 0u);
  EXPECT_EQ(result.error, stage().slot_before_file ? EAGAIN : EBADF);
  device.complete_all();
}

TEST_P(Kioctx, ARefusedRequestKeepsNothing) {
  const OneCpu pinned;
  PendingFile device;
  const std::uint32_t file = device.install(files_);
  setup(50);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(submit(reads(99, 1)).error, EBADF);
  const ContextInfo info = calls().io_describe(id_);
  const std::uint32_t batch = std::max(info.req_batch, 1u);
  EXPECT_EQ(fill(file), info.slots / batch * batch);
  device.complete_all();
}

TEST_P(Kioctx, PollDoesNotWait) {
  setup(1);
  const std::int64_t before = monotonic_ns();
  EXPECT_TRUE(reap(4, 0, 0).empty());
  EXPECT_TRUE(reap(4, 4, 0).empty());
  EXPECT_TRUE(reap(4, 0, kForever).empty()) << "none were asked for";
  EXPECT_LT(monotonic_ns() - before, 5'000'000'000);
}

TEST_P(Kioctx, WaitsUntilTheDeadline) {
  setup(1);
  for (const int ms : {1, 20}) {
    const std::int64_t until = in_ms(ms);
    EXPECT_TRUE(reap(4, 1, until).empty());
    // v3.7 counts jiffies, from the one that has begun.
    const std::int64_t early = stage().hrtimer_wait ? 0 : kJiffyNs;
    EXPECT_GE(monotonic_ns(), until - early);
  }
}

TEST_P(Kioctx, ADeadlineEndsWithWhatThereIs) {
  const std::uint32_t null = files_.install(kNullFile, nullptr);
  setup(8);
  submit(reads(null, 3));
  EXPECT_EQ(reap(8, 8, in_ms(20)).size(), 3u);
}

TEST_P(Kioctx, MoreThanRoomIsRefused) {
  setup(8);
  std::vector<IoEvent> events(2);
  EXPECT_EQ(calls().io_getevents(id_, 3, events, 0), -EINVAL);
}

TEST_P(Kioctx, ASleepingReaperGetsItsMinimum) {
  PendingFile device;
  const std::uint32_t file = device.install(files_);
  setup(64);
  ASSERT_EQ(submit(reads(file, 20)).submitted, 20u);
  std::vector<IoEvent> events;
  std::thread reaper([&] { events = reap(64, 15, in_ms(20'000)); });
  for (int i = 0; i < 15; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_TRUE(device.complete_one());
  }
  reaper.join();
  EXPECT_EQ(events.size(), 15u);
  device.complete_all();
}

}  // namespace
}  // namespace aioscope::kioctx
