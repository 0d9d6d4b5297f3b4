#include "bench/measure/perf/tracefs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "tests/bench/fake_root.h"

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
TEST(TracepointFormat, SurvivesMutations) {
  constexpr std::string_view kSpecial = ":;[]\t\n 0189-*_";
  std::mt19937 random(1);
  std::size_t accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text = kContentionBegin;
    for (int edits = 1 + int(random() % 4); edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = char(random());
          break;
        case 1:
          text[at] = kSpecial[random() % kSpecial.size()];
          break;
        case 2:
          text.erase(at, 1 + random() % 20);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
      }
      if (text.empty()) text = "n";
    }
    const auto format = parse_tracepoint_format(text);
    if (!format) continue;
    ++accepted;
    for (const TracepointField& field : format->fields) {
      EXPECT_LE(std::uint64_t(field.offset) + field.size, 65'536u);
      EXPECT_FALSE(field.name.empty());
      EXPECT_FALSE(field.type.empty());
    }
  }
  EXPECT_GT(accepted, 100u) << "the mutations are too wild to test anything";
  EXPECT_LT(accepted, 20'000u);
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

TEST(Tracefs, UnreadableForThisUserSaysWho) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  const FakeRoot root;
  root.write("sys/kernel/tracing/events/sched/sched_switch/id", "1\n");
  std::filesystem::permissions(root.path() / "sys/kernel/tracing/events/sched/sched_switch/id",
                               std::filesystem::perms::none);
  const Tracefs tracefs(root.path());
  EXPECT_FALSE(tracefs.usable());
  EXPECT_THAT(tracefs.refusal().reason, HasSubstr("not readable"));
  EXPECT_THAT(tracefs.refusal().cure, HasSubstr("gid="));
}

}  // namespace
}  // namespace aioscope
