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
  const InstrumentProbe& kernel_locks = probes[2];
  const InstrumentProbe& off_cpu = probes[3];
  EXPECT_FALSE(kernel_locks.works);
  EXPECT_FALSE(off_cpu.whole());
  EXPECT_THAT(kernel_locks.refusal.reason, HasSubstr("tracefs is not mounted"));
  EXPECT_THAT(kernel_locks.refusal.cure, HasSubstr("mount -t tracefs"));
  // The time off the CPU is then told by records of switches, where perf events are allowed.
  if (off_cpu.works) {
    EXPECT_EQ(off_cpu.refusal.reason, kernel_locks.refusal.reason);
  }
}

TEST(KernelNames, AreHiddenWhereFunctionsStandAt0) {
  const FakeRoot root;
  EXPECT_FALSE(kernel_has_names(root.path()));
  root.write("proc/kallsyms", "0000000000000000 T _text\n0000000000000000 t start\t[module]\n");
  EXPECT_FALSE(kernel_has_names(root.path()));
  // Where the data of a CPU begins is 0 for everybody.
  root.write("proc/kallsyms",
             "0000000000000000 A fixed_percpu_data\nffffffff81000000 T startup_64\n");
  EXPECT_TRUE(kernel_has_names(root.path()));
}

}  // namespace
}  // namespace aioscope
