#include "bench/measure/profile/attribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>

#include <array>
#include <cstring>

#include "tests/bench/mutate.h"

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

struct WaitOf {
  std::string site;
  std::string_view layer;
};
WaitOf wait_of(const std::vector<std::string>& functions, bool kernel) {
  static Attribution attribution(LayerRules::builtin());
  std::vector<Attribution::NamedFrame> frames;
  for (const std::string& function : functions) {
    const std::size_t bang = function.find('!');
    const bool with_object = bang != std::string::npos;
    frames.push_back({{.name = with_object ? function.substr(bang + 1) : function,
                       .object = with_object ? function.substr(0, bang)
                                 : kernel    ? "kernel"
                                             : "a"},
                      kernel});
  }
  const auto named = attribution.name(frames);
  return {attribution.wait_site(named), kLayerNames[attribution.wait_layer(named)]};
}

TEST(WaitSite, OfTheKernelIsTheFunctionThatTookTheLock) {
  const std::string slow = "native_queued_spin_lock_slowpath";
  const auto site = [&](std::vector<std::string> callers) {
    callers.insert(callers.begin(), {slow, "_raw_spin_lock"});
    return wait_of(callers, true).site;
  };
  EXPECT_EQ(site({"aio_complete.isra.0", "aio_complete_rw"}), "aio_complete");
  EXPECT_EQ(site({"futex_q_lock", "futex_wait_setup", "do_syscall_64"}), "futex_q_lock");
  EXPECT_EQ(site({"raw_spin_rq_lock_nested", "__task_rq_lock", "try_to_wake_up"}),
            "try_to_wake_up");
  EXPECT_EQ(site({"folio_lruvec_lock_irqsave", "folio_batch_move_lru"}), "folio_batch_move_lru");
  EXPECT_EQ(
      wait_of({"__mutex_lock.constprop.0", "membarrier_private_expedited", "do_syscall_64"}, true)
          .site,
      "membarrier_private_expedited");
}

TEST(WaitSite, OfAFutexIsBehindTheWayIntoTheKernel) {
  const WaitOf ring =
      wait_of({"libc.so.6!__GI___lll_lock_wait", "aioscope::SharedRing::submit"}, false);
  EXPECT_EQ(ring.site, "aioscope::SharedRing::submit");
  EXPECT_EQ(ring.layer, "io_uring lock wait");
  const WaitOf harness = wait_of({"libc.so.6!syscall", "aioscope::run_thread"}, false);
  EXPECT_EQ(harness.site, "aioscope::run_thread");
  EXPECT_EQ(harness.layer, "harness");
  const WaitOf spin =
      wait_of({"libc.so.6!syscall", "aioscope::kioctx::futex_wait",
               "aioscope::kioctx::SpinLock::lock_contended", "aioscope::kioctx::aio_complete"},
              false);
  EXPECT_EQ(spin.site, "aioscope::kioctx::aio_complete");
  EXPECT_EQ(spin.layer, "aio lock wait");
}

// What a timer's samples leave out of waits with interrupts off.
TEST(ProfileMeasurement, MovesWaitsThatItCouldNotSample) {
  constexpr LayerId kCore = layer_id("aio core");
  constexpr LayerId kWait = layer_id("aio lock wait");
  ProfileMeasurement profile{.event = "cpu-clock", .kernel_sampled = true, .samples = 200};
  profile.layers = {{kCore, 10, 120}, {kWait, 5, 10}, {layer_id("device"), 0, 55}};
  profile.move_unseen_waits(kCore, kWait, 0.25);
  EXPECT_EQ(profile.layers[0].kernel, 80u);
  EXPECT_EQ(profile.layers[1].kernel, 50u);
  EXPECT_EQ(profile.layers[1].user, 5u);
  ASSERT_EQ(profile.moved.size(), 1u);
  EXPECT_EQ(profile.moved[0].samples, 40u);
  EXPECT_EQ(profile.share_of(kAioLayers), 0.725);

  profile.move_unseen_waits(kCore, kWait, 0.2);  // seen already
  EXPECT_EQ(profile.moved.size(), 1u);
  profile.move_unseen_waits(kCore, kWait, 0.9);  // no more than there is
  EXPECT_EQ(profile.layers[0].kernel, 0u);
  EXPECT_EQ(profile.layers[0].user, 10u);
  EXPECT_EQ(profile.layers[1].kernel, 130u);
}

TEST(ProfileMeasurement, MovesWaitsToALayerThatHadNoSamples) {
  ProfileMeasurement profile{.event = "cpu-clock", .kernel_sampled = true, .samples = 100};
  profile.layers = {{layer_id("io_uring core"), 0, 100}};
  profile.move_unseen_waits(layer_id("aio core"), layer_id("aio lock wait"), 0.5);
  EXPECT_TRUE(profile.moved.empty());
  profile.move_unseen_waits(layer_id("io_uring core"), layer_id("io_uring lock wait"), 0.5);
  ASSERT_EQ(profile.layers.size(), 2u);
  EXPECT_EQ(profile.share_of(kLockWaitLayers), 0.5);
}

// From a record's bytes to the layer of its stack.
TEST(StackSample, SurvivesMutants) {
  const std::array<std::uint64_t, 7> words{
      1 | 2ull << 32, 5, kKernel, 0xffffffff81000000, kUser, address_of(attribution_test_inner), 1};
  const std::string seed(reinterpret_cast<const char*>(words.data()), sizeof words);
  Attribution attribution(rules());
  int good = 0, bad = 0;
  for_each_mutant(seed, 5'000, [&](const std::string& text) {
    // Of its exact size, so that AddressSanitizer sees a read past its end.
    const std::vector<char> body(text.begin(), text.end());
    const auto sample = parse_stack_sample({PERF_RECORD_SAMPLE, 0, std::as_bytes(std::span(body))});
    ++(sample ? good : bad);
    if (!sample) return;
    ASSERT_LE(sample->stack.size() + 16, body.size());
    RawStack stack(sample->stack.size() / sizeof(std::uint64_t));
    if (!stack.empty()) std::memcpy(stack.data(), sample->stack.data(), sample->stack.size());
    ASSERT_LE(attribution.name(stack).frames.size(), stack.size());
  });
  EXPECT_GT(good, 500);
  EXPECT_GT(bad, 500);
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
