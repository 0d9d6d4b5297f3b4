// Mainline against the kernel's system calls, call by call; all stages where no patch changed the
// answer.
//
// The short form is part of the tests. The long form: kioctx_differential_test
// --gtest_filter='*Mainline*' --calls 1000000
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <tuple>

#include "tests/drivers/kioctx/differential/compare.h"
#include "tests/drivers/kioctx/differential/differential_options.h"
#include "tests/drivers/kioctx/differential/generator.h"
#include "tests/drivers/kioctx/differential/shrink.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

const StageCalls& stage_calls(std::string_view name) {
  const auto* found = std::ranges::find(kStages, name, &NamedStage::name);
  return kStageCalls[std::size_t(found - kStages.begin())];
}

// On one CPU: slots are counted per CPU, and how many can be had depends on where a thread was.
class Differential : public testing::Test {
 protected:
  void SetUp() override {
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

  void expect_no_difference(World& ours, Rules rules, std::uint64_t calls, std::uint64_t seed) {
    GeneratorOptions generator{.todays_rules = rules == Rules::kTodays};
    generator.calls = std::uint32_t(std::min<std::uint64_t>(generator.calls, calls));
    Compared compared;
    const std::uint64_t first = seed;
    for (; compared.calls < calls; ++seed) {
      const Sequence sequence = generate(seed, generator);
      const auto difference = compare(sequence, rules, *kernel_, ours, &compared);
      if (!difference) continue;
      const Sequence shortest = shrink(sequence, rules, *kernel_, ours);
      const auto last = compare(shortest, rules, *kernel_, ours, nullptr);
      FAIL() << "seed " << seed << ": " << (last ? last->text : difference->text)
             << "\nto be played again with --replay FILE:\n"
             << to_text(last ? shortest : sequence);
    }
    EXPECT_GT(compared.events, compared.calls / 20);
    EXPECT_GT(compared.refused, 0u);
    if (generator.todays_rules) {
      EXPECT_GT(compared.full, compared.calls / 500);
    }
    std::printf(
        "%lu calls, %lu requests, %lu events, %lu submits cut short, %lu of them for want of "
        "slots; seeds %lu to %lu\n",
        compared.calls, compared.requests, compared.events, compared.refused, compared.full, first,
        seed - 1);
  }

  const OneCpu pinned_;
  std::unique_ptr<World> kernel_;
};

TEST_F(Differential, MainlineAnswersAsTheKernel) {
  const auto ours = kioctx_world(stage_calls("mainline"));
  expect_no_difference(*ours, Rules::kTodays, differential_options.calls,
                       differential_options.seed);
}

TEST_F(Differential, ReplaysAFile) {
  if (differential_options.replay.empty()) GTEST_SKIP() << "no --replay FILE";
  std::ifstream file(differential_options.replay);
  ASSERT_TRUE(file) << differential_options.replay;
  std::ostringstream text;
  text << file.rdbuf();
  const auto ours = kioctx_world(stage_calls("mainline"));
  const auto difference =
      compare(parse_sequence(text.str()), Rules::kTodays, *kernel_, *ours, nullptr);
  EXPECT_FALSE(difference) << "call " << difference->call << ": " << difference->text;
}

// What no patch changed: all but full rings and reaping in user space.
class DifferentialStages : public Differential, public testing::WithParamInterface<std::size_t> {};
EVERY_STAGE(DifferentialStages);

TEST_P(DifferentialStages, AnswerAsTheKernelWhereNoPatchChangedIt) {
  const auto ours = kioctx_world(kStageCalls[GetParam()]);
  // Seeds of its own, far from the others'.
  const std::uint64_t seed = differential_options.seed + (GetParam() + 1) * 1'000'000;
  expect_no_difference(*ours, Rules::kOfAllStages, differential_options.calls / 20, seed);
}

// A world that is wrong in one place, on purpose.
enum class Fault : std::uint8_t {
  kCountsTheBadRequest,  // where a batch stops
  kWrongResult,          // of the last event that is reaped
  kWrongOrder,           // of the first and the last
  kLosesAnEvent,
  kWrongBytes,  // in a buffer that was read into
  kCancelSucceeds,
  kNoError,  // of a context that is gone
};
constexpr std::array<std::string_view, 7> kFaultNames{
    "CountsTheBadRequest", "WrongResult",    "WrongOrder", "LosesAnEvent",
    "WrongBytes",          "CancelSucceeds", "NoError"};

class WrongWorld final : public World {
 public:
  WrongWorld(World& right, Fault fault) : right_(right), fault_(fault) {}

  std::int64_t io_setup(std::uint32_t nr, std::uint64_t& id) override {
    return right_.io_setup(nr, id);
  }
  std::int64_t io_submit(std::uint64_t id, std::span<const PlacedRequest> requests) override {
    const std::int64_t count = right_.io_submit(id, requests);
    const bool stopped_by_bad = count > 0 && count < std::int64_t(requests.size()) &&
                                refused(requests[std::size_t(count)].spec);
    return fault_ == Fault::kCountsTheBadRequest && stopped_by_bad ? count + 1 : count;
  }
  std::int64_t io_getevents(std::uint64_t id, std::uint32_t min, std::span<IoEvent> events,
                            std::int64_t timeout_ns) override {
    const std::int64_t count = right_.io_getevents(id, min, events, timeout_ns);
    if (count <= 0) return count;
    IoEvent& last = events[std::size_t(count - 1)];
    if (fault_ == Fault::kWrongResult) ++last.res;
    if (fault_ == Fault::kWrongOrder) std::swap(events.front(), last);
    if (fault_ == Fault::kWrongBytes && last.res > 0) buffer(last.data)[0] ^= std::byte{1};
    return fault_ == Fault::kLosesAnEvent ? count - 1 : count;
  }
  std::int64_t io_cancel(std::uint64_t id, std::uint64_t tag) override {
    const std::int64_t result = right_.io_cancel(id, tag);
    return fault_ == Fault::kCancelSucceeds ? 0 : result;
  }
  std::int64_t io_destroy(std::uint64_t id) override {
    const std::int64_t result = right_.io_destroy(id);
    return fault_ == Fault::kNoError ? 0 : result;
  }
  AioRing& ring(std::uint64_t id) override { return right_.ring(id); }

 private:
  World& right_;
  const Fault fault_;
};

class DifferentialFinds : public Differential, public testing::WithParamInterface<std::size_t> {};

TEST_P(DifferentialFinds, AWrongAnswerAndAShortWayToIt) {
  const auto right = kioctx_world(stage_calls("mainline"));
  WrongWorld wrong(*right, Fault(GetParam()));
  for (std::uint64_t seed = 1; seed < 30; ++seed) {
    const Sequence sequence = generate(seed, {.calls = 200, .real_files = false});
    if (!compare(sequence, Rules::kTodays, *kernel_, wrong, nullptr)) continue;
    const Sequence shortest = shrink(sequence, Rules::kTodays, *kernel_, wrong);
    EXPECT_LE(shortest.size(), 3u) << to_text(shortest);
    EXPECT_LE(shortest.front().requests.size() + shortest.back().requests.size(), 2u)
        << to_text(shortest);
    EXPECT_TRUE(compare(parse_sequence(to_text(shortest)), Rules::kTodays, *kernel_, wrong, {}))
        << "cannot be played again: " << to_text(shortest);
    EXPECT_FALSE(compare(shortest, Rules::kTodays, *kernel_, *right, nullptr));
    return;
  }
  FAIL() << "not found";
}
INSTANTIATE_TEST_SUITE_P(Faults, DifferentialFinds, testing::Range<std::size_t>(0, 7),
                         [](const auto& fault) { return std::string(kFaultNames[fault.param]); });

}  // namespace
}  // namespace aioscope::kioctx
