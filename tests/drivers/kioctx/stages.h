// Runs a test once for each stage: class Suite : public StageTest, EVERY_STAGE(Suite), TEST_P.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <utility>
#include <vector>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/kioctx.h"

namespace aioscope::kioctx {

inline std::int64_t in_ms(std::int64_t ms) { return monotonic_ns() + ms * 1'000'000; }

// A context of a stage, and files to use with it.
class StageFixture : public testing::Test {
 protected:
  explicit StageFixture(std::size_t index) : index_(index) {}

  const Stage& stage() const { return kStages[index_].stage; }
  const StageCalls& calls() const { return kStageCalls[index_]; }
  static constexpr std::int64_t kForever = INT64_MAX;

  void TearDown() override {
    if (id_ != 0) {
      EXPECT_EQ(calls().io_destroy(id_), 0);
    }
    EXPECT_EQ(files_.references(), 0) << "a request has kept its file";
  }

  void setup(std::uint32_t nr_events) { ASSERT_EQ(calls().io_setup(nr_events, &id_), 0); }
  void destroy() {
    EXPECT_EQ(calls().io_destroy(id_), 0);
    id_ = 0;
  }

  // `count` reads of `file`, with data from `first` on.
  static std::vector<Iocb> reads(std::uint32_t file, std::uint32_t count, std::uint64_t first = 0) {
    std::vector<Iocb> iocbs(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      iocbs[i] = {.data = first + i, .nbytes = 512, .fildes = file, .opcode = IocbCommand::kPread};
    }
    return iocbs;
  }
  IoSubmitResult submit(const std::vector<Iocb>& iocbs) {
    return calls().io_submit(id_, files_, iocbs);
  }

  // Up to `count` events that are there now.
  std::vector<IoEvent> reap(std::uint32_t count, std::uint32_t min = 0, std::int64_t until = 0) {
    std::vector<IoEvent> events(count);
    const std::int64_t got = calls().io_getevents(id_, min, events, until);
    EXPECT_GE(got, 0);
    events.resize(got < 0 ? 0 : std::size_t(got));
    return events;
  }

  // Submits reads one at a time until one is refused. Returns how many were accepted.
  std::uint32_t fill(std::uint32_t file) {
    for (std::uint32_t count = 0;; ++count) {
      const IoSubmitResult result = submit(reads(file, 1, count));
      if (result.submitted == 1) continue;
      EXPECT_EQ(result.error, EAGAIN);
      return count;
    }
  }

  FileTable files_;
  AioContextId id_ = 0;

 private:
  const std::size_t index_;
};

class StageTest : public StageFixture, public testing::WithParamInterface<std::size_t> {
 protected:
  StageTest() : StageFixture(GetParam()) {}
};

inline std::string stage_test_name(const testing::TestParamInfo<std::size_t>& info) {
  std::string name(kStages[info.param].name);
  for (char& c : name) {
    if (c == '.' || c == '-') c = '_';
  }
  return name;
}
#define EVERY_STAGE(Suite)                                                            \
  INSTANTIATE_TEST_SUITE_P(Stages, Suite, testing::Range(std::size_t{0}, kAllStages), \
                           stage_test_name)

// Keeps this thread on one CPU, so that slots counted per CPU add up exactly.
class OneCpu {
 public:
  OneCpu() {
    sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  ~OneCpu() { sched_setaffinity(0, sizeof(before_), &before_); }
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_;
};

}  // namespace aioscope::kioctx
