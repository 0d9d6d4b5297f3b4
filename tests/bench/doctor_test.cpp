#include "bench/doctor.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

constexpr std::chrono::milliseconds kNoTime{0};

// A machine on which there is nothing to complain of.
void make_good_machine(const FakeRoot& root) {
  root.write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  root.write("proc/sys/kernel/perf_event_paranoid", "-1\n");
  root.write("proc/sys/kernel/kptr_restrict", "0\n");
  root.write("proc/kallsyms", "ffffffff81000000 T _text\n");
  root.write("proc/sys/kernel/io_uring_disabled", "0\n");
  root.write("proc/sys/fs/aio-nr", "0\n");
  root.write("proc/sys/fs/aio-max-nr", "1048576\n");
  root.write("proc/cpuinfo", "processor: 0\nflags\t\t: fpu vme sse2\n");
  root.write("proc/mounts", "tracefs /sys/kernel/tracing tracefs rw 0 0\n");
  root.write("proc/loadavg", "0.10 0.20 0.30 1/100 1234\n");
  root.write("proc/stat", "cpu 100 0 100 800 0 0 0 0 0 0\n");
  root.write("sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "300\n");
  root.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  root.write("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  root.set_online("0-7");
  for (int id = 0; id < 8; ++id) {
    root.add_cpu(id, id, 0);
    root.write("sys/devices/system/cpu/cpu" + std::to_string(id) + "/cpufreq/scaling_governor",
               "performance\n");
  }
  root.add_node(0, "0-7");
}

Machine read(const FakeRoot& root) {
  Machine machine = read_machine(root.path(), {}, kNoTime);
  machine.memlock_bytes = UINT64_MAX;
  machine.pmus = {"some_core"};
  return machine;
}

Finding finding(const Machine& machine, std::string_view id) {
  for (const Finding& one : diagnose(machine)) {
    if (one.id == id) return one;
  }
  ADD_FAILURE() << "no finding " << id;
  return {};
}

TEST(Doctor, FindsNothingOnAGoodMachine) {
  const FakeRoot root;
  make_good_machine(root);
  for (const Finding& one : diagnose(read(root))) {
    EXPECT_EQ(one.status, FindingStatus::kOk) << one.id << ": " << one.value;
    EXPECT_FALSE(one.meaning.empty()) << one.id;
  }
}

struct Case {
  const char* file;
  const char* text;
  const char* id;
  FindingStatus status;
  const char* in_cure;
};

class DoctorFile : public testing::TestWithParam<Case> {};

TEST_P(DoctorFile, IsFoundWithItsCure) {
  const FakeRoot root;
  make_good_machine(root);
  root.write(GetParam().file, GetParam().text);
  const Finding found = finding(read(root), GetParam().id);
  EXPECT_EQ(found.status, GetParam().status) << found.value;
  EXPECT_NE(found.cure.find(GetParam().in_cure), std::string::npos) << found.cure;
}

using enum FindingStatus;
INSTANTIATE_TEST_SUITE_P(
    Each, DoctorFile,
    testing::Values(
        Case{"proc/sys/kernel/osrelease", "5.0.1\n", "kernel", kProblem, "boot"},
        Case{"proc/sys/kernel/osrelease", "5.10.0\n", "kernel", kNote, "6.1"},
        Case{"proc/sys/kernel/perf_event_paranoid", "2\n", "perf_event_paranoid", kProblem,
             "perf_event_paranoid=-1"},
        Case{"proc/sys/kernel/perf_event_paranoid", "0\n", "perf_event_paranoid", kNote,
             "perf_event_paranoid=-1"},
        Case{"proc/kallsyms", "0000000000000000 T _text\n", "kptr_restrict", kNote,
             "kptr_restrict=0 kernel.perf_event_paranoid=-1"},
        Case{"proc/sys/kernel/io_uring_disabled", "2\n", "io_uring_disabled", kProblem,
             "io_uring_disabled=0"},
        Case{"proc/sys/kernel/io_uring_disabled", "1\n", "io_uring_disabled", kProblem,
             "io_uring_disabled=0"},
        Case{"proc/sys/fs/aio-nr", "1048000\n", "aio_max_nr", kProblem, "fs.aio-max-nr"},
        Case{"proc/mounts", "proc /proc proc rw 0 0\n", "tracefs", kNote, "mount -t tracefs"},
        Case{"sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "", "tracefs", kNote, "root"},
        Case{"sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n",
             "clock_source", kProblem, "echo tsc"},
        Case{"sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n", "governor",
             kNote, "cpupower"},
        Case{"sys/devices/system/cpu/intel_pstate/no_turbo", "0\n", "turbo", kNote, "no_turbo"},
        Case{"sys/devices/system/cpu/cpu4/topology/core_id", "0\n", "smt", kNote, "--pin spread"},
        Case{"sys/devices/system/node/node1/cpulist", "4-7\n", "numa", kNote, "--pin"},
        Case{"sys/devices/system/cpu/online", "0-3\n", "cpus", kNote, "5 CPUs"},
        Case{"proc/cpuinfo", "flags : fpu hypervisor\n", "virtual_machine", kNote, "machine"},
        Case{"proc/loadavg", "3.00 1 1 1/1 1\n", "load", kNote, "top"},
        Case{"proc/stat", "cpu 100 0 100 700 0 0 0 100 0 0\n", "steal", kProblem, "host"}));

TEST(Doctor, WhatBindsUsersDoesNotBindRoot) {
  const FakeRoot root;
  make_good_machine(root);
  root.write("proc/sys/kernel/perf_event_paranoid", "4\n");
  root.write("proc/sys/kernel/io_uring_disabled", "1\n");
  Machine machine = read(root);
  machine.root = true;
  EXPECT_EQ(finding(machine, "perf_event_paranoid").status, kProblem) << "a container's root";
  machine.perf_capable = true;
  EXPECT_EQ(finding(machine, "perf_event_paranoid").status, kOk);
  EXPECT_EQ(finding(machine, "io_uring_disabled").status, kOk);
}

// At 0 and 1 the kernel lets anybody count a tracepoint on his own threads.
TEST(Doctor, CountingTracepointsNeedsLessThanRecordingThem) {
  const FakeRoot root;
  make_good_machine(root);
  for (const char* level : {"0\n", "1\n"}) {
    root.write("proc/sys/kernel/perf_event_paranoid", level);
    const std::string meaning = finding(read(root), "perf_event_paranoid").meaning;
    EXPECT_EQ(meaning.find("system calls"), std::string::npos) << meaning;
    EXPECT_NE(meaning.find("--locks"), std::string::npos) << meaning;
  }
}

TEST(Doctor, InAUserNamespaceCuresAreForOutside) {
  const FakeRoot root;
  make_good_machine(root);
  root.write("proc/sys/kernel/perf_event_paranoid", "2\n");
  root.write("proc/kallsyms", "0000000000000000 T _text\n");
  root.write("sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "");
  Machine machine = read(root);
  machine.user_namespace = true;
  for (const char* id : {"perf_event_paranoid", "kptr_restrict", "tracefs"}) {
    EXPECT_EQ(finding(machine, id).cure.find("outside this user namespace: sudo"), 0u) << id;
  }
}

TEST(Doctor, ACounterThatIsForbiddenIsNotAMissingOne) {
  Machine machine;
  machine.cycles_errno = EACCES;
  EXPECT_EQ(finding(machine, "pmu").status, kProblem);
  machine.cycles_errno = ENOENT;
  EXPECT_EQ(finding(machine, "pmu").status, kNote);
}

TEST(Doctor, SaysOfEachInstrumentWhetherItWorks) {
  Machine machine;
  machine.instruments = {{.id = "counters", .works = true},
                         {.id = "profile",
                          .works = true,
                          .lacks = "the kernel's part",
                          .refusal = {EACCES, "paranoid", "sysctl"}},
                         {.id = "kernel_locks", .refusal = {0, "no tracefs", "mount"}}};
  EXPECT_EQ(finding(machine, "counters").status, kOk);
  EXPECT_EQ(finding(machine, "profile").status, kNote);
  EXPECT_NE(finding(machine, "profile").meaning.find("not the kernel's part: paranoid"),
            std::string::npos);
  EXPECT_EQ(finding(machine, "kernel_locks").value, "does not work");
  EXPECT_EQ(finding(machine, "kernel_locks").cure, "mount");
}

TEST(Doctor, ASmallMemlockIsNotedForUsers) {
  Machine machine;
  machine.memlock_bytes = 64 << 10;
  EXPECT_EQ(finding(machine, "memlock").status, kNote);
  EXPECT_EQ(finding(machine, "memlock").value, "64 KiB");
  machine.memlock_bytes = 1ull << 30;
  EXPECT_EQ(finding(machine, "memlock").status, kOk);
}

TEST(Doctor, AnEmptyMachineIsSurvivedAndNothingIsMadeUp) {
  const FakeRoot root;
  const Machine machine = read_machine(root.path(), {0}, kNoTime);
  EXPECT_FALSE(machine.steal_share);
  EXPECT_FALSE(machine.aio_nr);
  EXPECT_FALSE(machine.turbo);
  EXPECT_EQ(finding(machine, "load").value, "unknown");
  EXPECT_EQ(finding(machine, "aio_max_nr").status, kProblem);
}

TEST(Doctor, TextAndJsonSayTheSame) {
  const FakeRoot root;
  make_good_machine(root);
  root.write("proc/sys/kernel/io_uring_disabled", "2\n");
  const auto findings = diagnose(read(root));
  const auto json = nlohmann::json::parse(doctor_json(findings));
  EXPECT_EQ(json["schema"], "aioscope.doctor/1");
  ASSERT_EQ(json["findings"].size(), findings.size());
  const std::string text = doctor_text(findings, false);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(doctor_text(findings, true).find('\033'), std::string::npos);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    EXPECT_EQ(json["findings"][i]["id"], std::string(findings[i].id));
    EXPECT_NE(text.find(findings[i].meaning), std::string::npos);
    EXPECT_EQ(json["findings"][i]["cure"].is_null(), findings[i].cure.empty());
  }
  EXPECT_NE(text.find("cure: sudo sysctl kernel.io_uring_disabled=0"), std::string::npos);
}

}  // namespace
}  // namespace aioscope
