#include "bench/measure/profile/attribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>

namespace aioscope {
namespace {

using ::testing::ElementsAre;

extern "C" [[gnu::noinline]] void attribution_test_inner() { asm volatile(""); }
extern "C" [[gnu::noinline]] void attribution_test_outer() { asm volatile("" ::: "memory"); }

std::uint64_t address_of(void (*function)()) { return reinterpret_cast<std::uint64_t>(function); }

constexpr auto kUser = std::uint64_t(PERF_CONTEXT_USER);
constexpr auto kKernel = std::uint64_t(PERF_CONTEXT_KERNEL);

LayerRules rules() {
  return LayerRules::parse(R"(
[[rule]]
layer = "device"
functions = ["attribution_test_inner"]
[[rule]]
layer = "harness"
functions = ["attribution_test_outer"]
)",
                           "test.toml");
}

std::vector<std::string> labels(Attribution& attribution, const RawStack& raw) {
  std::vector<std::string> labels;
  for (const auto frame : attribution.name(raw).frames) labels.push_back(attribution.label(frame));
  return labels;
}

TEST(Attribution, NamesFramesAndFindsTheLayer) {
  Attribution attribution(rules());
  const RawStack stack{kUser, address_of(attribution_test_inner),
                       address_of(attribution_test_outer) + 1};
  EXPECT_THAT(labels(attribution, stack),
              ElementsAre("attribution_test_inner", "attribution_test_outer"));
  const auto named = attribution.name(stack);
  EXPECT_EQ(kLayerNames[named.layer], "device");
  EXPECT_FALSE(named.in_kernel);
}

// The address of a caller is behind its call, which may be another function's first byte.
TEST(Attribution, ACallerIsWhereItsCallStands) {
  Attribution attribution(rules());
  const std::uint64_t begin = address_of(attribution_test_outer);
  EXPECT_THAT(labels(attribution, {kUser, begin, begin + 1}),
              ElementsAre("attribution_test_outer", "attribution_test_outer"));
  EXPECT_NE(labels(attribution, {kUser, begin, begin})[1], "attribution_test_outer");
}

TEST(Attribution, WhatHasNoNameGoesByItsObject) {
  Attribution attribution(rules());
  const auto stack = labels(attribution, {kKernel, 1, 2, kUser, 1});
  EXPECT_THAT(stack, ElementsAre("[kernel]_[k]", "[kernel]_[k]", "[unknown]"));
  const auto named = attribution.name(RawStack{kKernel, 1, kUser, 1});
  EXPECT_EQ(named.layer, kUnmatched);
  EXPECT_TRUE(named.in_kernel);
}

TEST(Attribution, SurvivesStacksThatMakeNoSense) {
  Attribution attribution(rules());
  for (const RawStack& stack :
       {RawStack{}, RawStack{kUser}, RawStack{kKernel, kUser}, RawStack{1, 2, 3},
        RawStack{kUser, 0, ~0ull >> 1}, RawStack{std::uint64_t(PERF_CONTEXT_HV), 5, kUser, 7}}) {
    EXPECT_EQ(attribution.name(stack).layer, kUnmatched);
  }
}

TEST(ProfileMeasurement, SharesNeedTheKernelAndItsNames) {
  ProfileMeasurement profile;
  profile.event = "cpu-clock";
  profile.samples = 200;
  profile.kernel_sampled = true;
  profile.layers = {{layer_id("aio core"), 10, 20}, {layer_id("aio lock wait"), 0, 50}};
  EXPECT_EQ(profile.share_of(kAioLayers), 0.4);
  EXPECT_EQ(profile.share_of(kLockWaitLayers), 0.25);
  EXPECT_EQ(profile.share_of(kHarnessLayers), 0.0);
  profile.symbols_reason = "hidden";
  EXPECT_EQ(profile.share_of(kAioLayers), std::nullopt);
  profile.symbols_reason.clear();
  profile.kernel_sampled = false;
  EXPECT_EQ(profile.share_of(kAioLayers), std::nullopt);
  profile.kernel_sampled = true;
  profile.samples = 0;
  EXPECT_EQ(profile.share_of(kAioLayers), std::nullopt);
}

}  // namespace
}  // namespace aioscope
