// Every stage under the stress and a random schedule: each request ends once, and nothing is kept.
//
// The short form is part of the tests. The long form: kioctx_proof_test --ops 2000000 --seed 7
// --gtest_filter='*Stress*'
#include "tests/drivers/kioctx/proof/stress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/drivers/kioctx/proof/mutants.h"
#include "tests/drivers/kioctx/proof/proof_options.h"
#include "tests/drivers/kioctx/proof/scheduling.h"
#include "tests/drivers/kioctx/proof/slots.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

constexpr std::int64_t kLostNs = 20'000'000'000;

class KioctxStress : public testing::TestWithParam<std::size_t> {
 protected:
  static void each_ends_once(Stress::Target target) {
    const RandomScheduling random(proof_options.seed);
    const StageCalls& calls = kStageCalls[GetParam()];
    Stress stress(calls, target);
    EXPECT_EQ(stress.each_ends_once(proof_options.ops, kLostNs), "");
    EXPECT_EQ(free_slots(GetParam(), stress.id()), calls.io_describe(stress.id()).slots);
    stress.destroy();
  }

  static void ends_in_use(Stress::Target target) {
    constexpr std::uint64_t kRounds = 4;
    const RandomScheduling random(proof_options.seed + 1);
    Stress stress(kStageCalls[GetParam()], target);
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      EXPECT_EQ(stress.ends_in_use(std::max<std::uint64_t>(proof_options.ops / kRounds, 1)), "");
    }
  }
};
EVERY_STAGE(KioctxStress);

TEST_P(KioctxStress, EachRequestOnNullEndsOnce) { each_ends_once(Stress::Target::kNull); }
TEST_P(KioctxStress, EachRequestCompletedElsewhereEndsOnce) {
  each_ends_once(Stress::Target::kPending);
}
TEST_P(KioctxStress, EachRequestThatMayBeCancelledEndsOnce) {
  each_ends_once(Stress::Target::kCancellable);
}
TEST_P(KioctxStress, EndsInUseOnNull) { ends_in_use(Stress::Target::kNull); }
TEST_P(KioctxStress, EndsInUseWithRequestsCompletedElsewhere) {
  ends_in_use(Stress::Target::kCancellable);
}

#if !defined(__SANITIZE_THREAD__)  // which would report the races that these are
// The stress is able to fail.
bool finds_the_bug_of(const StageCalls& calls, Stress::Target target) {
  constexpr int kTries = 20;
  constexpr std::int64_t kSoonLostNs = 200'000'000;
  for (int i = 0; i < kTries; ++i) {
    const RandomScheduling random(proof_options.seed + std::uint64_t(i));
    Stress stress(calls, target);
    const bool found = !stress.each_ends_once(8'000, kSoonLostNs).empty();
    stress.destroy();
    if (found) return true;
  }
  return false;
}

TEST(KioctxStressFinds, SlotsThatComeBackTooEarly) {
  EXPECT_TRUE(finds_the_bug_of(kCallsOf<kSlotAtCompletionStage>, Stress::Target::kNull));
}
TEST(KioctxStressFinds, EventsThatAreReadBeforeTheyAreThere) {
  EXPECT_TRUE(finds_the_bug_of(kCallsOf<kNoReadBarrierStage>, Stress::Target::kNull));
}
TEST(KioctxStressFinds, CompletionsThatAreMissedBetweenRingAndRequests) {
  EXPECT_TRUE(finds_the_bug_of(kCallsOf<kRingBeforeActiveStage>, Stress::Target::kPending));
}
#endif

}  // namespace
}  // namespace aioscope::kioctx
