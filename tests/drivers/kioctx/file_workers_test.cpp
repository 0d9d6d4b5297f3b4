#include "drivers/kioctx/file_workers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

constexpr std::uint32_t kBlock = 512;

// The context is destroyed first, then the workers end, then the table goes.
class KioctxFiles : public StageTest {
 protected:
  void TearDown() override {
    if (id_ != 0) destroy();
    workers_.reset();
    StageTest::TearDown();
  }
  void start(unsigned threads) { workers_ = std::make_unique<FileWorkers>(threads); }

  std::vector<IoEvent> reap_all(std::uint32_t count) { return reap(count, count, in_ms(30'000)); }

  std::unique_ptr<FileWorkers> workers_;
};
EVERY_STAGE(KioctxFiles);

TEST_P(KioctxFiles, ReadsBackWhatItWrote) {
  char path[] = "/tmp/aioscope-kioctx-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  unlink(path);
  start(4);
  const std::uint32_t file = workers_->install(files_, fd);
  setup(64);
  std::vector<std::byte> data(64 * kBlock);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = std::byte(i * 7 + i / kBlock);
  std::vector<std::byte> back(data.size());
  for (const bool writing : {true, false}) {
    std::vector<Iocb> iocbs(64);
    for (std::uint32_t i = 0; i < iocbs.size(); ++i) {
      iocbs[i] = {.data = i,
                  .buf = (writing ? data : back).data() + i * kBlock,
                  .offset = std::uint64_t{i} * kBlock,
                  .nbytes = kBlock,
                  .fildes = file,
                  .opcode = writing ? IocbCommand::kPwrite : IocbCommand::kPread};
    }
    ASSERT_EQ(submit(iocbs).submitted, iocbs.size());
    const auto events = reap_all(64);
    ASSERT_EQ(events.size(), 64u);
    for (const IoEvent& event : events) EXPECT_EQ(event.res, kBlock);
  }
  EXPECT_EQ(data, back);
  close(fd);
}

TEST_P(KioctxFiles, FailuresComeAsResults) {
  start(2);
  const int fd = open("/dev/zero", O_RDONLY);
  const std::uint32_t good = workers_->install(files_, fd);
  const std::uint32_t closed = workers_->install(files_, -1);
  setup(8);
  std::vector<std::byte> buffer(kBlock);
  ASSERT_EQ(submit({{.data = 0,
                     .buf = nullptr,
                     .nbytes = kBlock,
                     .fildes = good,
                     .opcode = IocbCommand::kPread},
                    {.data = 1,
                     .buf = buffer.data(),
                     .nbytes = kBlock,
                     .fildes = closed,
                     .opcode = IocbCommand::kPread}})
                .submitted,
            2u);
  for (const IoEvent& event : reap_all(2)) {
    EXPECT_EQ(event.res, event.data == 0 ? -EFAULT : -EBADF);
  }
  close(fd);
}

// One worker, held up by an empty pipe: what is queued behind it can be cancelled, it itself
// cannot.
TEST_P(KioctxFiles, WhatIsQueuedCanBeCancelledAndWhatRunsCannot) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  start(1);
  const std::uint32_t file = workers_->install(files_, ends[0]);
  setup(8);
  std::vector<std::byte> buffer(3);
  std::vector<Iocb> iocbs(3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    iocbs[i] = {.data = i,
                .buf = buffer.data() + i,
                .nbytes = 1,
                .fildes = file,
                .opcode = IocbCommand::kPread};
  }
  ASSERT_EQ(submit(iocbs).submitted, 3u);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  IoEvent event;
  EXPECT_EQ(calls().io_cancel(id_, 0, &event), -EINVAL);
  const bool posted = stage().event_for_cancelled;
  EXPECT_EQ(calls().io_cancel(id_, 1, &event), posted ? -EINPROGRESS : 0);
  if (posted) {
    const auto cancelled = reap_all(1);
    EXPECT_EQ(cancelled.at(0).data, 1u);
    EXPECT_EQ(cancelled.at(0).res, -ECANCELED);
  }
  ASSERT_EQ(write(ends[1], "ab", 2), 2);
  const auto events = reap_all(2);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].data, 0u);
  EXPECT_EQ(events[1].data, 2u);
  EXPECT_EQ(buffer[0], std::byte('a'));
  EXPECT_EQ(buffer[2], std::byte('b'));
  destroy();
  workers_.reset();
  close(ends[0]);
  close(ends[1]);
}

// As in the kernel: by io_submit(), not by an event.
TEST_P(KioctxFiles, AFileNotOpenForThatIsRefusedAtOnce) {
  start(1);
  const int read_only = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  const int write_only = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const std::uint32_t reads_from = workers_->install(files_, read_only);
  const std::uint32_t writes_to = workers_->install(files_, write_only);
  setup(8);
  std::byte buffer{1};
  const auto answer = [&](std::uint32_t file, IocbCommand opcode) {
    return submit({{.buf = &buffer, .nbytes = 1, .fildes = file, .opcode = opcode}}).error;
  };
  EXPECT_EQ(answer(reads_from, IocbCommand::kPwrite), EBADF);
  EXPECT_EQ(answer(writes_to, IocbCommand::kPread), EBADF);
  EXPECT_EQ(answer(reads_from, IocbCommand::kPread), 0);
  EXPECT_EQ(answer(writes_to, IocbCommand::kPwrite), 0);
  EXPECT_EQ(reap_all(2).size(), 2u);
  destroy();
  workers_.reset();
  close(read_only);
  close(write_only);
}

}  // namespace
}  // namespace aioscope::kioctx
