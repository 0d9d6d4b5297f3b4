#include "bench/measure/perf/counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class CounterNames : public testing::Test {
 public:
  ~CounterNames() override { unsetenv("LIBPFM_FORCE_PMU"); }

 protected:
  CounterNames() {
    unsetenv("LIBPFM_FORCE_PMU");
    root_.write("sys/kernel/tracing/events/lock/contention_begin/id", "408\n");
    root_.write("sys/kernel/tracing/events/syscalls/sys_enter_io_submit/id", "1099\n");
  }

  Counter encode(const std::string& name) const {
    return encode_counter(name, Tracefs(root_.path()));
  }
  std::string encoding(const std::string& name) const { return encoding_text(encode(name)); }

  const FakeRoot root_;
};

TEST_F(CounterNames, GenericNamesWithUserAndKernelApart) {
  EXPECT_EQ(encoding("cycles"), "hardware 0");
  EXPECT_EQ(encoding("cycles:u"), "hardware 0 user");
  EXPECT_EQ(encoding("cpu-cycles:k"), "hardware 0 kernel");
  EXPECT_EQ(encoding("page-faults:u"), "software 2 user");
  EXPECT_EQ(encoding("cs"), "software 3");
  EXPECT_EQ(encode("cycles").kind(), CounterKind::kHardware);
  EXPECT_EQ(encode("cs").kind(), CounterKind::kSoftware);
  EXPECT_EQ(encode("lock:contention_begin").kind(), CounterKind::kSoftware);
  EXPECT_EQ(encode("task-clock").kind(), CounterKind::kClock);
}

// The kernel would count 0, or all of the thread, and call it the user's.
TEST_F(CounterNames, WhatTheKernelCannotSplitIsRefused) {
  for (const char* name :
       {"context-switches:u", "cpu-migrations:k", "task-clock:u", "lock:contention_begin:u"}) {
    const Counter counter = encode(name);
    EXPECT_TRUE(counter.known) << name;
    EXPECT_FALSE(counter.usable()) << name;
    EXPECT_THAT(counter.refusal.text(), HasSubstr("without :u and :k")) << name;
  }
}

TEST_F(CounterNames, TracepointsByTracefs) {
  EXPECT_EQ(encoding("lock:contention_begin"), "tracepoint 408");
  EXPECT_EQ(encoding("syscalls:sys_enter_io_submit"), "tracepoint 1099");
  const Counter missing = encode("lock:contention_begun");
  EXPECT_FALSE(missing.known);
  EXPECT_THAT(missing.refusal.reason, HasSubstr("no tracepoint lock:contention_begun"));
}

TEST_F(CounterNames, WithoutTracefsATracepointIsNotAWrongName) {
  const FakeRoot empty;
  const Counter counter = encode_counter("lock:contention_begin", Tracefs(empty.path()));
  EXPECT_TRUE(counter.known);
  EXPECT_THAT(counter.refusal.reason, HasSubstr("tracefs"));
}

TEST_F(CounterNames, TheRestIsLibpfm4s) {
  EXPECT_EQ(encoding("L1-DCACHE-LOADS:u"), "type 3 config 0x0 user");
  const Counter unknown = encode("cylces");
  EXPECT_FALSE(unknown.known);
  EXPECT_THAT(unknown.refusal.reason, HasSubstr("libpfm4"));
  EXPECT_FALSE(encode("perf::cycles:period=1000").usable());
  EXPECT_FALSE(encode("").known);
}

// What stands behind a generic name is libpfm4's to refuse, and no tracepoint of that system.
TEST_F(CounterNames, AGenericNameIsNoTracepointsSystem) {
  const FakeRoot without_tracefs;
  for (const char* name : {"cpu-clock:period=1000", "instructions:uk", "cs:x"}) {
    for (const auto& root : {root_.path(), without_tracefs.path()}) {
      const Counter counter = encode_counter(name, Tracefs(root));
      EXPECT_FALSE(counter.usable()) << name;
      EXPECT_THAT(counter.refusal.text(), Not(HasSubstr("tracepoint"))) << name;
      EXPECT_THAT(counter.refusal.text(), Not(HasSubstr("tracefs"))) << name;
    }
  }
}

TEST_F(CounterNames, NoneIsInheritedByThreadsStartedLater) {
  for (const char* name : {"cycles:u", "cs", "lock:contention_begin", "L1-DCACHE-LOADS:u"}) {
    EXPECT_EQ(encode(name).attributes.inherit, 0u) << name;
  }
}

TEST_F(CounterNames, EncodesForAPmuThatIsNotHere) {
  struct {
    const char* pmu;
    const char* name;
    const char* encoding;
  } const kCases[] = {
      {"skl", "INST_RETIRED:ANY_P:u", "raw 0xc0 user"},
      {"skl", "skl::LONGEST_LAT_CACHE:MISS", "raw 0x412e"},
      {"skl", "BR_INST_RETIRED:CONDITIONAL:k", "raw 0x1c4 kernel"},
      {"amd64_fam19h_zen4", "RETIRED_INSTRUCTIONS", "raw 0xc0"},
      {"amd64_fam19h_zen4", "amd64_fam19h_zen4::CYCLES_NOT_IN_HALT:u", "raw 0x76 user"},
  };
  for (const auto& one : kCases) {
    setenv("LIBPFM_FORCE_PMU", one.pmu, 1);
    const Counter counter = encode(one.name);
    EXPECT_TRUE(counter.known) << one.name;
    EXPECT_EQ(encoding_text(counter), one.encoding) << one.name;
    EXPECT_THAT(counter.refusal.reason, HasSubstr("LIBPFM_FORCE_PMU is")) << one.name;
    EXPECT_EQ(encoding("cycles"), "hardware 0") << "the kernel's own need no libpfm4";
  }
  const auto pmus = pmu_events();
  const auto zen4 = std::ranges::find(pmus, "amd64_fam19h_zen4", &PmuEvents::name);
  ASSERT_NE(zen4, pmus.end());
  EXPECT_THAT(zen4->events, Contains("amd64_fam19h_zen4::RETIRED_INSTRUCTIONS"));
}

TEST_F(CounterNames, TheDefaultSetIsTriedAndOptional) {
  const std::string names[] = {"task-clock", "default", "task-clock"};
  const auto counters = find_counters(names, Tracefs(root_.path()));
  EXPECT_GT(counters.size(), 5u);
  EXPECT_EQ(std::ranges::count(counters, "task-clock", &Counter::name), 1);
  for (const Counter& counter : counters) {
    EXPECT_EQ(counter.optional, counter.name != "task-clock") << counter.name;
    EXPECT_TRUE(counter.known) << counter.name;
  }
}

TEST_F(CounterNames, EachGenericOneIsOnlyOnceInTheList) {
  std::vector<std::string_view> names;
  for (const GenericCounter& counter : generic_counters()) {
    EXPECT_THAT(names, Not(Contains(counter.name)));
    EXPECT_THAT(encode(std::string(counter.name)).refusal.text(), IsEmpty());
    names.push_back(counter.name);
  }
}

}  // namespace
}  // namespace aioscope
