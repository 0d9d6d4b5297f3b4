#include "bench/measure/perf/perf_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

using testing::HasSubstr;

const perf_event_attr kTaskClock = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK);
const perf_event_attr kCycles = event_attributes(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);

perf_event_attr user_only(perf_event_attr attributes) {
  attributes.exclude_kernel = 1;
  return attributes;
}

TEST(PerfRights, ReadFromProc) {
  const FakeRoot root;
  EXPECT_FALSE(perf_rights(root.path()).paranoid.has_value());
  root.write("proc/sys/kernel/perf_event_paranoid", "3\n");
  root.write("proc/thread-self/status",
             "CapEff:\t0000000000000000\nSeccomp:\t2\nSeccomp_filters:\t1\n");
  PerfRights rights = perf_rights(root.path());
  EXPECT_EQ(rights.paranoid, 3);
  EXPECT_FALSE(rights.capable);
  EXPECT_TRUE(rights.seccomp);
  root.write("proc/thread-self/status",
             "CapEff:\t0000004000000000\nSeccomp:\t0\nSeccomp_filters:\t2\n");
  rights = perf_rights(root.path());
  EXPECT_TRUE(rights.capable) << "CAP_PERFMON";
  EXPECT_FALSE(rights.seccomp);
  root.write("proc/thread-self/status", "CapEff:\t0000000000200000\n");
  EXPECT_TRUE(perf_rights(root.path()).capable) << "CAP_SYS_ADMIN";
}

// Root of a container without privileges has every capability there and none over the kernel.
TEST(PerfRights, CapabilitiesOfAnotherUserNamespaceDoNotCount) {
  const FakeRoot root;
  root.write("proc/thread-self/status", "CapEff:\t000001ffffffffff\nSeccomp:\t2\n");
  root.write("proc/sys/kernel/perf_event_paranoid", "2\n");
  root.write("proc/self/uid_map", "         0          0 4294967295\n");
  EXPECT_TRUE(perf_rights(root.path()).capable);
  EXPECT_FALSE(perf_rights(root.path()).user_namespace);
  for (const char* map :
       {"         0      65534          1\n", "0 100000 65536\n", "0 0 65536\n", ""}) {
    root.write("proc/self/uid_map", map);
    const PerfRights rights = perf_rights(root.path());
    EXPECT_FALSE(rights.capable) << map;
    EXPECT_TRUE(rights.user_namespace) << map;
    const Refusal refusal = explain_refusal(EACCES, kTaskClock, rights);
    EXPECT_THAT(refusal.reason, HasSubstr("kernel.perf_event_paranoid is 2"));
    EXPECT_THAT(refusal.cure, HasSubstr("outside this user namespace: sudo sysctl"));
    EXPECT_THAT(refusal.cure, HasSubstr("does not count"));
  }
}

TEST(Refusal, NamesTheParanoidLevelAndItsCure) {
  const Refusal refusal = explain_refusal(EACCES, kTaskClock, {.paranoid = 2});
  EXPECT_THAT(refusal.reason, HasSubstr("EACCES"));
  EXPECT_THAT(refusal.reason, HasSubstr("kernel.perf_event_paranoid is 2"));
  EXPECT_THAT(refusal.cure, HasSubstr("sysctl kernel.perf_event_paranoid"));
  EXPECT_THAT(refusal.cure, HasSubstr("CAP_PERFMON"));
  EXPECT_THAT(refusal.text(), HasSubstr("; "));
}

TEST(Refusal, TellsSeccompFromParanoia) {
  constexpr const char* kSeccomp = "seccomp";
  EXPECT_THAT(explain_refusal(EPERM, kTaskClock, {.paranoid = 2, .seccomp = true}).reason,
              HasSubstr(kSeccomp));
  EXPECT_THAT(explain_refusal(ENOSYS, kTaskClock, {.paranoid = 2, .seccomp = true}).reason,
              HasSubstr(kSeccomp));
  EXPECT_THAT(
      explain_refusal(EACCES, kTaskClock, {.paranoid = 2, .capable = true, .seccomp = true}).reason,
      HasSubstr(kSeccomp));
  // The kernel's own answer to one without rights, in a container as elsewhere.
  EXPECT_THAT(explain_refusal(EACCES, kTaskClock, {.paranoid = 2, .seccomp = true}).reason,
              HasSubstr("perf_event_paranoid"));
  perf_event_attr raw = event_attributes(PERF_TYPE_TRACEPOINT, 1);
  raw.sample_type = PERF_SAMPLE_RAW;
  EXPECT_THAT(explain_refusal(EPERM, raw, {.paranoid = 1, .seccomp = true}).reason,
              HasSubstr("needs -1"));
  EXPECT_THAT(explain_refusal(ENOSYS, kTaskClock, {}).cure, HasSubstr("CONFIG_PERF_EVENTS"));
  EXPECT_THAT(explain_refusal(EACCES, kTaskClock, {.capable = true}).reason,
              HasSubstr("security module"));
}

TEST(Refusal, WhatTheLevelAllowsIsNotTheLevelsFault) {
  constexpr const char* kModule = "security module";
  EXPECT_THAT(explain_refusal(EACCES, kTaskClock, {.paranoid = 1}).reason, HasSubstr(kModule));
  EXPECT_THAT(explain_refusal(EACCES, user_only(kTaskClock), {.paranoid = 2}).reason,
              HasSubstr(kModule));
  EXPECT_THAT(explain_refusal(EACCES, user_only(kTaskClock), {.paranoid = 3}).reason,
              HasSubstr("no events"));
  EXPECT_THAT(explain_refusal(EACCES, kTaskClock, {.paranoid = 1, .seccomp = true}).reason,
              HasSubstr("seccomp"));
}

TEST(Refusal, MoreSamplesThanTheSysctlAllowsNamesIt) {
  const FakeRoot root;
  root.write("proc/sys/kernel/perf_event_max_sample_rate", "1000\n");
  const PerfRights rights = perf_rights(root.path());
  for (perf_event_attr attributes : {kCycles, event_attributes(PERF_TYPE_TRACEPOINT, 1)}) {
    attributes.freq = 1;
    attributes.sample_freq = 1999;
    const Refusal refusal = explain_refusal(EINVAL, attributes, rights);
    EXPECT_THAT(refusal.reason, HasSubstr("1999 Hz"));
    EXPECT_THAT(refusal.reason, HasSubstr("kernel.perf_event_max_sample_rate is 1000"));
    EXPECT_THAT(refusal.cure, HasSubstr("ask for 1000 Hz or less"));
    EXPECT_THAT(refusal.cure, HasSubstr("sysctl kernel.perf_event_max_sample_rate=1999"));
    attributes.sample_freq = 999;
    EXPECT_THAT(explain_refusal(EINVAL, attributes, rights).reason,
                testing::Not(HasSubstr("sample_rate")));
  }
}

// Threads that a driver starts must not be counted with the one that started them.
TEST(EventAttributes, AreOfOneThreadOnly) {
  EXPECT_EQ(kTaskClock.inherit, 0u);
  EXPECT_EQ(kCycles.inherit, 0u);
}

TEST(Refusal, EachErrorHasItsOwnReason) {
  const perf_event_attr tracepoint = event_attributes(PERF_TYPE_TRACEPOINT, 1);
  perf_event_attr sampling = kCycles;
  sampling.sample_period = 1;
  std::vector<std::string> reasons;
  for (const auto& [error, attributes] :
       {std::pair(ENOENT, kCycles), std::pair(ENOENT, kTaskClock), std::pair(EINVAL, tracepoint),
        std::pair(EINVAL, kCycles), std::pair(EOPNOTSUPP, kCycles), std::pair(EOPNOTSUPP, sampling),
        std::pair(EMFILE, kCycles), std::pair(EBUSY, kCycles), std::pair(ESRCH, kCycles),
        std::pair(ENOMEM, kCycles)}) {
    reasons.push_back(explain_refusal(error, attributes, {.paranoid = 0}).reason);
    EXPECT_THAT(reasons.back(), HasSubstr(strerrorname_np(error)));
  }
  std::sort(reasons.begin(), reasons.end());
  EXPECT_EQ(std::unique(reasons.begin(), reasons.end()), reasons.end());
}

TEST(Refusal, TooManyFilesNamesTheLimit) {
  EXPECT_THAT(explain_refusal(EMFILE, kCycles, {}).cure, HasSubstr("ulimit -n"));
}

TEST(PerfEvent, CountsTheCallingThread) {
  const PerfEvent event(user_only(kTaskClock), 0);
  if (!event.is_open()) GTEST_SKIP() << event.refusal().text();
  std::uint64_t before = 0, after = 0;
  ASSERT_EQ(read(event.fd(), &before, sizeof before), ssize_t(sizeof before));
  ASSERT_EQ(read(event.fd(), &after, sizeof after), ssize_t(sizeof after));
  EXPECT_GT(after, before);
}

TEST(PerfEvent, OfNoSuchEventSaysSo) {
  const PerfEvent event(user_only(event_attributes(PERF_TYPE_SOFTWARE, 1u << 20)), 0);
  EXPECT_FALSE(event.is_open());
  EXPECT_FALSE(event.refusal().reason.empty());
}

TEST(PerfEvent, ClosesWithTheObject) {
  int fd = -1;
  {
    const PerfEvent event(user_only(kTaskClock), 0);
    if (!event.is_open()) GTEST_SKIP() << event.refusal().text();
    fd = event.fd();
  }
  std::uint64_t value = 0;
  EXPECT_EQ(read(fd, &value, sizeof value), -1);
}

}  // namespace
}  // namespace aioscope
