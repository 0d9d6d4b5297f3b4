// usage: kioctx_differential_test [--calls N] [--seed N] [--gtest_...]
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "drivers/kioctx/reqs_available.h"
#include "tests/drivers/kioctx/differential/compare.h"
#include "tests/drivers/kioctx/differential/generator.h"

namespace aioscope::kioctx {
namespace {

struct {
  std::uint64_t calls = 6'000;  // to compare with mainline; a thirtieth with each stage
  std::uint64_t seed = 1;
} command_line;

const StageCalls& stage_calls(std::string_view name) {
  const auto* found = std::ranges::find(kStages, name, &NamedStage::name);
  return kStageCalls[std::size_t(found - kStages.begin())];
}

// Slots are counted per CPU: how many can be had depends on the CPUs that a thread has been on.
class Differential : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(std::uint32_t(sched_getcpu()), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    try {
      kernel_ = kernel_world();
      std::uint64_t id = 0;
      const std::int64_t refused = kernel_->io_setup(1, id);
      if (refused != 0) GTEST_SKIP() << "io_setup: " << std::strerror(int(-refused));
      kernel_->io_destroy(id);
    } catch (const std::exception& problem) {
      GTEST_SKIP() << problem.what();
    }
  }
  void TearDown() override { sched_setaffinity(0, sizeof before_, &before_); }

  void expect_no_difference(World& ours, Rules rules) {
    const GeneratorOptions generator{.todays_rules = rules == Rules::kTodays};
    Compared compared;
    std::uint64_t seed = command_line.seed;
    for (; compared.calls < command_line.calls; ++seed) {
      const Sequence sequence = generate(seed, generator);
      const auto difference = compare(sequence, rules, *kernel_, ours, &compared);
      if (!difference) continue;
      const Sequence shortest = shrink(sequence, rules, *kernel_, ours);
      const auto last = compare(shortest, rules, *kernel_, ours, nullptr);
      FAIL() << "seed " << seed << ": " << (last ? last->text : difference->text) << "\n"
             << to_text(last ? shortest : sequence);
    }
    EXPECT_GT(compared.events, compared.calls / 20);
    EXPECT_GT(compared.refused, 0u);
    if (generator.todays_rules) {
      EXPECT_GT(compared.full, 0u);
    }
    std::printf(
        "%lu calls, %lu requests, %lu events, %lu submits cut short, %lu of them for want "
        "of slots; seeds %lu to %lu\n",
        compared.calls, compared.requests, compared.events, compared.refused, compared.full,
        command_line.seed, seed - 1);
  }

  std::unique_ptr<World> kernel_;
  cpu_set_t before_{};
};

TEST_F(Differential, MainlineAnswersAsTheKernel) {
  const auto ours = kioctx_world(stage_calls("mainline"));
  expect_no_difference(*ours, Rules::kTodays);
}

// What no patch changed: all but full rings and reaping in user space.
class DifferentialStages : public Differential, public testing::WithParamInterface<std::size_t> {};

TEST_P(DifferentialStages, AnswerAsTheKernelWhereNoPatchChangedIt) {
  const auto ours = kioctx_world(kStageCalls[GetParam()]);
  const std::uint64_t calls = command_line.calls;
  command_line.calls = calls / 30;
  expect_no_difference(*ours, Rules::kOfAllStages);
  command_line.calls = calls;
}

INSTANTIATE_TEST_SUITE_P(Stages, DifferentialStages, testing::Range<std::size_t>(0, kAllStages),
                         [](const auto& stage) {
                           std::string name(kStages[stage.param].name);
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

// A world that is wrong in one place, on purpose.
class WrongWorld final : public World {
 public:
  explicit WrongWorld(std::unique_ptr<World> right) : right_(std::move(right)) {}
  std::int64_t io_setup(std::uint32_t nr, std::uint64_t& id) override {
    return right_->io_setup(nr, id);
  }
  // Counts the request at which a batch stops.
  std::int64_t io_submit(std::uint64_t id, std::span<const PlacedRequest> requests) override {
    const std::int64_t count = right_->io_submit(id, requests);
    return count > 0 && count < std::int64_t(requests.size()) ? count + 1 : count;
  }
  std::int64_t io_getevents(std::uint64_t id, std::uint32_t min, std::span<IoEvent> events,
                            std::int64_t timeout_ns) override {
    return right_->io_getevents(id, min, events, timeout_ns);
  }
  std::int64_t io_cancel(std::uint64_t id, std::uint64_t tag) override {
    return right_->io_cancel(id, tag);
  }
  std::int64_t io_destroy(std::uint64_t id) override { return right_->io_destroy(id); }
  AioRing& ring(std::uint64_t id) override { return right_->ring(id); }

 private:
  std::unique_ptr<World> right_;
};

TEST_F(Differential, FindsAWrongAnswerAndTheShortestWayToIt) {
  WrongWorld wrong(kioctx_world(stage_calls("mainline")));
  for (std::uint64_t seed = 1; seed < 100; ++seed) {
    const Sequence sequence = generate(seed, {.real_files = false});
    if (!compare(sequence, Rules::kTodays, *kernel_, wrong, nullptr)) continue;
    const Sequence shortest = shrink(sequence, Rules::kTodays, *kernel_, wrong);
    EXPECT_LE(shortest.size(), 2u) << to_text(shortest);
    EXPECT_LE(shortest.back().requests.size(), 2u) << to_text(shortest);
    EXPECT_TRUE(compare(shortest, Rules::kTodays, *kernel_, wrong, nullptr));
    return;
  }
  FAIL() << "not found";
}

// Where a stage must not answer as today's kernel: what the series says instead.

std::int64_t submitted(const StageCalls& stage, AioContextId id, std::size_t count,
                       std::uint32_t file = 0) {
  FileTable files;
  static const FileOperations null{[](Kiocb*) -> std::int64_t { return 0; },
                                   [](Kiocb*) -> std::int64_t { return 0; }};
  files.install(null, nullptr);
  const std::vector<Iocb> iocbs(count, {.fildes = file, .opcode = IocbCommand::kPread});
  const IoSubmitResult result = stage.io_submit(id, files, iocbs);
  return result.submitted > 0 ? std::int64_t{result.submitted} : -result.error;
}

class StageRules : public testing::TestWithParam<std::size_t> {
 protected:
  const NamedStage& stage_ = kStages[GetParam()];
  const StageCalls& calls_ = kStageCalls[GetParam()];
};

// Before the slots were counted per CPU the ring is as large as asked for, rounded up to pages;
// since then twice that. Then it is full.
TEST_P(StageRules, RoomIsThatOfItsPatch) {
  AioContextId id = 0;
  ASSERT_EQ(calls_.io_setup(128, &id), 0);
  const RingSize size = stage_.stage.percpu_reqs_available
                            ? ring_size_percpu(128, num_possible_cpus())
                            : ring_size(128);
  EXPECT_EQ(calls_.io_describe(id).slots, size.slots());
  if (!stage_.stage.percpu_reqs_available) {
    EXPECT_EQ(size.slots(), 254u);
    EXPECT_EQ(submitted(calls_, id, 1000), 254);
    EXPECT_EQ(submitted(calls_, id, 1), -EAGAIN);
  }
  EXPECT_EQ(calls_.io_destroy(id), 0);
}

// A full ring and a bad file: until slot-before-file the file is looked at first.
TEST_P(StageRules, ABadFileOrAFullRingIsReportedFirst) {
  AioContextId id = 0;
  ASSERT_EQ(calls_.io_setup(1, &id), 0);
  while (submitted(calls_, id, 1) == 1) {
  }
  EXPECT_EQ(submitted(calls_, id, 1, 7), stage_.stage.slot_before_file ? -EAGAIN : -EBADF);
  EXPECT_EQ(calls_.io_destroy(id), 0);
}

// Largest size: of the ring that is made, which is twice what was asked for since the slots are
// counted per CPU.
TEST_P(StageRules, SizesThatAreRefused) {
  AioContextId id = 0;
  const std::uint32_t most = stage_.stage.percpu_reqs_available ? 1u << 22 : 1u << 23;
  EXPECT_EQ(calls_.io_setup(most + 1, &id), -EINVAL);
  EXPECT_EQ(calls_.io_setup(0, &id), -EINVAL);
}

INSTANTIATE_TEST_SUITE_P(Stages, StageRules, testing::Range<std::size_t>(0, kAllStages));

bool read_option(std::string_view name, const char* value) {
  char* end = nullptr;
  const std::uint64_t number = value != nullptr ? std::strtoull(value, &end, 10) : 0;
  if (number == 0 || *end != '\0') return false;
  if (name == "--calls") command_line.calls = number;
  if (name == "--seed") command_line.seed = number;
  return name == "--calls" || name == "--seed";
}

}  // namespace
}  // namespace aioscope::kioctx

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    if (!aioscope::kioctx::read_option(argv[i], i + 1 < argc ? argv[i + 1] : nullptr)) {
      std::fprintf(stderr, "usage: %s [--calls N] [--seed N], both above 0\n", argv[0]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
