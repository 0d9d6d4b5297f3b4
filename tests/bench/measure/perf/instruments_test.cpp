#include "bench/measure/perf/instruments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

using testing::HasSubstr;

TEST(Instruments, WhatDoesNotWorkHasAReason) {
  const auto probes = probe_instruments();
  ASSERT_EQ(probes.size(), 4u);
  for (const InstrumentProbe& probe : probes) {
    EXPECT_EQ(probe.whole(), probe.refusal.reason.empty()) << probe.id;
    EXPECT_EQ(probe.refusal.reason.empty(), probe.refusal.cure.empty()) << probe.id;
  }
}

TEST(Instruments, WithoutTracefsThereAreNoTracepoints) {
  const FakeRoot root;
  std::filesystem::create_directories(root.path() / "sys/kernel/tracing");
  const auto probes = probe_instruments(Tracefs(root.path()));
  for (const InstrumentProbe& probe : {probes[2], probes[3]}) {
    EXPECT_FALSE(probe.works) << probe.id;
    EXPECT_THAT(probe.refusal.reason, HasSubstr("tracefs is not mounted"));
    EXPECT_THAT(probe.refusal.cure, HasSubstr("mount -t tracefs"));
  }
}

}  // namespace
}  // namespace aioscope
