// Where a stage must not answer as today's kernel: what the series says instead. One table, a row
// for each rule, with the stages that have it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/reqs_available.h"
#include "drivers/kioctx/ring.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

enum class Room : std::uint8_t { kAsAskedFor, kTwice };
enum class First : std::uint8_t { kFile, kRing };
enum class UserReaping : std::uint8_t { kGivesSlotsBack, kLosesSlots, kNoRing };
enum class Cancelled : std::uint8_t { kInTheCall, kInTheRing };
enum class Timer : std::uint8_t { kJiffies, kNanoseconds };

struct StageRule {
  std::string_view stage;
  Room room;
  First first;  // reported, of a full ring and a bad file
  UserReaping user_reaping;
  Cancelled cancelled;  // where the event of a cancelled request comes
  Timer timer;
};

constexpr auto kAsked = Room::kAsAskedFor;
constexpr auto kTwice = Room::kTwice;
constexpr auto kGives = UserReaping::kGivesSlotsBack;
constexpr auto kLoses = UserReaping::kLosesSlots;
constexpr auto kCall = Cancelled::kInTheCall;
constexpr auto kJiffies = Timer::kJiffies;
constexpr auto kNs = Timer::kNanoseconds;

// Written down by hand, not taken from the stages' switches, which it checks.
constexpr std::array kRules = std::to_array<StageRule>({
    {"v3.7", kAsked, First::kFile, kGives, kCall, kJiffies},
    {"no-retry", kAsked, First::kFile, kGives, kCall, kJiffies},
    {"slot-before-file", kAsked, First::kRing, kGives, kCall, kJiffies},
    {"lockless-put", kAsked, First::kRing, kGives, kCall, kJiffies},
    {"refcounting", kAsked, First::kRing, kGives, kCall, kJiffies},
    {"hrtimer-wait", kAsked, First::kRing, kGives, kCall, kNs},
    {"bulk-reap", kAsked, First::kRing, kGives, kCall, kNs},
    {"lazy-cancel", kAsked, First::kRing, kGives, kCall, kNs},
    {"active-until-reaped", kAsked, First::kRing, kLoses, kCall, kNs},
    {"no-batch-alloc", kAsked, First::kRing, kLoses, kCall, kNs},
    {"flat-ring", kAsked, First::kRing, kLoses, kCall, kNs},
    {"own-cachelines", kAsked, First::kRing, kLoses, kCall, kNs},
    {"reqs-available", kAsked, First::kRing, kLoses, kCall, kNs},
    {"percpu-reqs-available", kTwice, First::kRing, kLoses, kCall, kNs},
    {"percpu-refcount", kTwice, First::kRing, kLoses, kCall, kNs},
    {"series", kTwice, First::kRing, kLoses, kCall, kNs},
    {"batch-completion", kTwice, First::kRing, kLoses, kCall, kNs},
    {"percpu-rings", kTwice, First::kRing, UserReaping::kNoRing, kCall, kNs},
    {"mainline", kTwice, First::kRing, kGives, Cancelled::kInTheRing, kNs},
    {"series-without-hrtimer-wait", kTwice, First::kRing, kLoses, kCall, kJiffies},
    {"series-without-bulk-reap", kTwice, First::kRing, kLoses, kCall, kNs},
    {"series-without-own-cachelines", kTwice, First::kRing, kLoses, kCall, kNs},
    {"series-without-percpu-reqs-available", kAsked, First::kRing, kLoses, kCall, kNs},
    {"series-without-percpu-refcount", kTwice, First::kRing, kLoses, kCall, kNs},
    {"series-without-xchg-tail", kTwice, First::kRing, kLoses, kCall, kNs},
});

TEST(StageRulesTable, HasEveryStageOnce) {
  ASSERT_EQ(kRules.size(), kStages.size());
  for (const NamedStage& stage : kStages) {
    EXPECT_EQ(std::ranges::count(kRules, stage.name, &StageRule::stage), 1) << stage.name;
  }
}

class StageRules : public StageTest {
 protected:
  void SetUp() override {
    const auto* rule = std::ranges::find(kRules, kStages[GetParam()].name, &StageRule::stage);
    ASSERT_NE(rule, kRules.end()) << kStages[GetParam()].name;
    rule_ = *rule;
    null_ = files_.install(kNullFile, nullptr);
  }

  const OneCpu pinned_;
  StageRule rule_{};
  std::uint32_t null_ = 0;
};
EVERY_STAGE(StageRules);

// Of 128 requests: 255 entries, of which one stays empty; or twice what was asked for.
TEST_P(StageRules, RoomFor128) {
  setup(128);
  const ContextInfo info = calls().io_describe(id_);
  const std::uint32_t usable = fill(null_);
  if (rule_.room == Room::kAsAskedFor) {
    EXPECT_EQ(info.nr_events, 255u);
    EXPECT_EQ(usable, 254u);
    return;
  }
  EXPECT_EQ(info.nr_events, ring_size_percpu(128, num_possible_cpus()).nr_events);
  EXPECT_GE(info.nr_events, 2 * 128 + 2u);
  EXPECT_EQ(info.req_batch, info.slots / (4 * num_possible_cpus()));
  // What is less than a batch cannot be borrowed.
  EXPECT_EQ(usable, info.slots / info.req_batch * info.req_batch);
}

// The largest size that is accepted is that of the ring that is made.
TEST_P(StageRules, SizesThatAreRefused) {
  AioContextId id = 0;
  const std::uint32_t most = rule_.room == Room::kTwice ? 1u << 22 : 1u << 23;
  EXPECT_EQ(calls().io_setup(most + 1, &id), -EINVAL);
  EXPECT_EQ(calls().io_setup(0, &id), -EINVAL);
}

TEST_P(StageRules, ABadFileAndAFullRing) {
  setup(1);
  fill(null_);
  const std::int32_t error = submit(reads(99, 1)).error;
  EXPECT_EQ(error, rule_.first == First::kFile ? EBADF : EAGAIN);
}

// active-until-reaped: only io_getevents() gives slots back; today completions look for themselves.
TEST_P(StageRules, ReapingInUserSpace) {
  setup(32);
  const std::uint32_t usable = fill(null_);
  if (rule_.user_reaping == UserReaping::kNoRing) return;
  AioRing& ring = *ring_of(id_);
  const std::uint32_t nr = calls().io_describe(id_).nr_events;
  const std::uint32_t head = ring.head.load(std::memory_order_relaxed);
  ring.head.store((head + 5) % nr, std::memory_order_release);  // pairs: slots are counted again
  if (rule_.user_reaping == UserReaping::kGivesSlotsBack) {
    EXPECT_EQ(fill(null_), 5u);
    EXPECT_EQ(reap(nr).size(), usable);
    return;
  }
  EXPECT_EQ(fill(null_), 0u);
  EXPECT_EQ(reap(nr).size(), usable - 5);
  EXPECT_EQ(fill(null_), usable - 5);
  // io_destroy() would wait for the five for ever: they are reaped once more.
  ring.head.store((ring.head.load(std::memory_order_relaxed) + nr - 5) % nr,
                  std::memory_order_release);
  EXPECT_EQ(reap(nr).size(), usable);
}

TEST_P(StageRules, TheEventOfACancelledRequest) {
  PendingFile device(PendingFile::Cancel::kYes);
  const std::uint32_t file = device.install(files_);
  setup(8);
  ASSERT_EQ(submit(reads(file, 1, 42)).submitted, 1u);
  IoEvent event{.data = 1};
  if (rule_.cancelled == Cancelled::kInTheCall) {
    EXPECT_EQ(calls().io_cancel(id_, 42, &event), 0);
    EXPECT_EQ(event.data, 42u);
    EXPECT_TRUE(reap(8).empty());
    return;
  }
  EXPECT_EQ(calls().io_cancel(id_, 42, &event), -EINPROGRESS);
  EXPECT_EQ(event.data, 1u) << "is not written";
  EXPECT_EQ(reap(8).size(), 1u);
}

TEST_P(StageRules, TimeoutsShorterThanAJiffy) {
  constexpr int kTries = 10;
  constexpr std::int64_t kShortNs = 500'000;
  setup(1);
  const std::int64_t begin = monotonic_ns();
  std::int64_t shortest = INT64_MAX;
  for (int i = 0; i < kTries; ++i) {
    const std::int64_t before = monotonic_ns();
    EXPECT_TRUE(reap(1, 1, before + kShortNs).empty());
    const std::int64_t took = monotonic_ns() - before;
    shortest = std::min(shortest, took);
    if (rule_.timer == Timer::kNanoseconds) {
      EXPECT_GE(took, kShortNs);
    }
  }
  if (rule_.timer == Timer::kJiffies) {
    // Each ends with a jiffy, which the next begins in.
    EXPECT_GE(monotonic_ns() - begin, (kTries - 1) * kJiffyNs);
  } else {
    EXPECT_LT(shortest, kJiffyNs) << "not one of them was exact";
  }
}

}  // namespace
}  // namespace aioscope::kioctx
