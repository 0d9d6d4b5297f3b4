#include "bench/measure/perf/tracefs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/fake_root.h"
#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// As Linux prints it.
const std::string kContentionBegin = [] {
  std::string text = "name: contention_begin\nID: 408\nformat:\n";
  const auto field = [&](const std::string& declaration, int offset, int size, bool is_signed) {
    text += "\tfield:" + declaration + ";\toffset:" + std::to_string(offset) +
            ";\tsize:" + std::to_string(size) + ";\tsigned:" + (is_signed ? "1" : "0") + ";\n";
  };
  field("unsigned short common_type", 0, 2, false);
  field("unsigned char common_flags", 2, 1, false);
  field("unsigned char common_preempt_count", 3, 1, false);
  field("int common_pid", 4, 4, true);
  text += "\n";
  field("void * lock_addr", 8, 8, false);
  field("unsigned int flags", 16, 4, false);
  field("char prev_comm[16]", 20, 16, false);
  field("__data_loc char[] name", 36, 4, false);
  field("struct iocb * * iocbpp", 40, 8, false);
  return text + "\nprint fmt: \"%p (flags=%s)\", REC->lock_addr, REC->flags\n";
}();

TEST(TracepointFormat, KnowsNumberFieldsAndTheirPlaces) {
  const auto format = parse_tracepoint_format(kContentionBegin);
  ASSERT_TRUE(format);
  EXPECT_EQ(format->name, "contention_begin");
  EXPECT_EQ(format->id, 408u);
  ASSERT_EQ(format->fields.size(), 9u);
  const TracepointField* pid = format->find("common_pid");
  ASSERT_NE(pid, nullptr);
  EXPECT_EQ(pid->offset, 4u);
  EXPECT_EQ(pid->size, 4u);
  EXPECT_TRUE(pid->is_signed);
  EXPECT_FALSE(format->find("flags")->is_signed);
  EXPECT_EQ(format->find("lock_addr")->type, "void *");
  EXPECT_EQ(format->find("prev_comm")->type, "char[16]");
  EXPECT_EQ(format->find("name")->type, "__data_loc char[]");
  EXPECT_EQ(format->find("iocbpp")->type, "struct iocb * *");
  EXPECT_EQ(format->find("nothing"), nullptr);
}

TEST(TracepointFormat, RefusesWhatItCannotTrust) {
  EXPECT_FALSE(parse_tracepoint_format(""));
  EXPECT_FALSE(parse_tracepoint_format("name: x\nformat:\n")) << "no number";
  EXPECT_FALSE(parse_tracepoint_format("ID: 4\n")) << "no name";
  EXPECT_FALSE(parse_tracepoint_format("name: x\nID: 4x\n"));
  const std::string head = "name: x\nID: 4\nformat:\n\t";
  EXPECT_TRUE(parse_tracepoint_format(head + "field:int a;\toffset:0;\tsize:4;\tsigned:1;\n"));
  for (const char* field :
       {"field:int a;\toffset:0;\tsize:4;", "field:int a;\tsize:4;\toffset:0;\tsigned:1;",
        "field:int a;\toffset:-1;\tsize:4;\tsigned:1;",
        "field:int a[;\toffset:0;\tsize:4;signed:0;",
        "field:int a;\toffset:65530;\tsize:7;\tsigned:1;",
        "field:int a;\toffset:18446744073709551615;\tsize:4;\tsigned:1;",
        "field:int a;\toffset:0;\tsize:;\tsigned:1;", "field:;\toffset:0;\tsize:4;\tsigned:1;",
        "field:int ;\toffset:0;\tsize:4;\tsigned:1;", "field:a;\toffset:0;\tsize:4;\tsigned:1;"}) {
    EXPECT_FALSE(parse_tracepoint_format(head + field + "\n")) << field;
  }
}

// Whatever the text is: no crash, and nothing that points beyond a record.
TEST(TracepointFormat, SurvivesMutants) {
  int accepted = 0, refused = 0;
  for_each_mutant(kContentionBegin, 20'000, [&](const std::string& text) {
    const auto format = parse_tracepoint_format(text);
    ++(format ? accepted : refused);
    if (!format) return;
    for (const TracepointField& field : format->fields) {
      ASSERT_LE(std::uint64_t(field.offset) + field.size, 65'536u);
      ASSERT_FALSE(field.name.empty());
      ASSERT_FALSE(field.type.empty());
    }
  });
  EXPECT_GT(accepted, 100) << "the mutations are too wild to test anything";
  EXPECT_GT(refused, 1'000);
}

TEST(Tracefs, ReadsNumbersFromEitherPlace) {
  for (const std::string place : {"sys/kernel/tracing/", "sys/kernel/debug/tracing/"}) {
    const FakeRoot root;
    root.write(place + "events/lock/contention_begin/id", "408\n");
    root.write(place + "events/lock/contention_begin/format", kContentionBegin);
    root.write(place + "events/lock/enable", "0\n");
    const Tracefs tracefs(root.path());
    ASSERT_TRUE(tracefs.usable()) << tracefs.refusal().text();
    EXPECT_EQ(std::get<std::uint64_t>(tracefs.id("lock:contention_begin")), 408u);
    EXPECT_EQ(std::get<TracepointFormat>(tracefs.format("lock:contention_begin")).fields.size(),
              9u);
    EXPECT_THAT(tracefs.tracepoints(), ElementsAre("lock:contention_begin"));
  }
}

TEST(Tracefs, SaysThatItIsNotMountedAndHowToMountIt) {
  const FakeRoot root;
  EXPECT_THAT(Tracefs(root.path()).refusal().reason, HasSubstr("no tracefs"));
  std::filesystem::create_directories(root.path() / "sys/kernel/tracing");
  const Tracefs tracefs(root.path());
  EXPECT_FALSE(tracefs.usable());
  EXPECT_THAT(tracefs.refusal().reason, HasSubstr("not mounted"));
  EXPECT_THAT(tracefs.refusal().cure, HasSubstr("mount -t tracefs"));
  EXPECT_EQ(std::get<Refusal>(tracefs.id("lock:contention_begin")).reason,
            tracefs.refusal().reason);
  EXPECT_TRUE(tracefs.tracepoints().empty());
}

TEST(Tracefs, RefusesNamesAndContentsThatAreNone) {
  const FakeRoot root;
  root.write("sys/kernel/tracing/events/lock/broken/id", "x\n");
  root.write("sys/kernel/tracing/events/lock/broken/format", "x\n");
  const Tracefs tracefs(root.path());
  EXPECT_THAT(std::get<Refusal>(tracefs.id("lock:missing")).reason,
              HasSubstr("no tracepoint lock:missing"));
  EXPECT_THAT(std::get<Refusal>(tracefs.id("lock:broken")).reason, HasSubstr("not a number"));
  EXPECT_THAT(std::get<Refusal>(tracefs.format("lock:broken")).reason, HasSubstr("not understood"));
  for (const char* name : {"", "lock", ":", "lock:", ":x", "../x:y", "lock:..", "a/b:c"}) {
    EXPECT_EQ(std::get<Refusal>(tracefs.id(name)).error, EINVAL) << name;
  }
}

TEST(Tracefs, TheCureHasNoGroupOfAnotherNamespace) {
  EXPECT_EQ(tracefs_cure("/t", false), "sudo mount -o remount,mode=755,gid=" +
                                           std::to_string(getegid()) + " /t, or run as root");
  const std::string inside = tracefs_cure("/t", true);
  EXPECT_THAT(inside, HasSubstr("outside this user namespace: sudo mount"));
  EXPECT_THAT(inside, HasSubstr("gid=GROUP"));
}

#if !defined(__SANITIZE_ADDRESS__)  // whose look at a virtual table needs a pipe
TEST(Tracefs, TooManyOpenFilesAreNoMissingTracepoint) {
  const FakeRoot root;
  root.write("sys/kernel/tracing/events/lock/contention_begin/id", "408\n");
  const Tracefs tracefs(root.path());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto id = tracefs.id("lock:contention_begin");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  const auto* refusal = std::get_if<Refusal>(&id);
  ASSERT_NE(refusal, nullptr);
  EXPECT_EQ(refusal->error, EMFILE);
  EXPECT_THAT(refusal->reason, HasSubstr("EMFILE"));
  EXPECT_THAT(refusal->cure, HasSubstr("ulimit -n"));
}
#endif

TEST(Tracefs, AnUnreadableFileHasTheSystemsReason) {
  const FakeRoot root;
  const std::string events = "sys/kernel/tracing/events/";
  root.write(events + "lock/x/format", "");
  std::filesystem::create_symlink("id", root.path() / (events + "lock/x/id"));
  const Tracefs tracefs(root.path());
  EXPECT_THAT(std::get<Refusal>(tracefs.id("lock:x")).reason, HasSubstr("symbolic links"));
}

// In a child as a user without rights, since root reads everything.
TEST(Tracefs, UnreadableForThisUserSaysWho) {
  using fs = std::filesystem::perms;
  const FakeRoot root;
  const std::string id = "sys/kernel/tracing/events/sched/sched_switch/id";
  root.write(id, "1\n");
  std::filesystem::permissions(root.path(), fs::owner_all | fs::others_read | fs::others_exec);
  std::filesystem::permissions(root.path() / id, fs::none);
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65'534;
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) _exit(2);
    const Tracefs tracefs(root.path());
    const bool said = !tracefs.usable() &&
                      tracefs.refusal().reason.find("not readable") != std::string::npos &&
                      tracefs.refusal().cure.find("gid=") != std::string::npos;
    _exit(said ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "root may not become nobody here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace aioscope
