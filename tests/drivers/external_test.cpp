// Registry::load(): what is accepted, and with which words the rest is refused.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>

#include "drivers/registry.h"

namespace aioscope {
namespace {

std::string module(const std::string& name) { return AIOSCOPE_MODULES "/" + name + ".so"; }

// What load() says; empty when it accepts.
std::string refusal_of(Registry& registry, const std::string& path) {
  try {
    registry.load(path);
    return {};
  } catch (const SetupError& error) {
    return error.what();
  }
}

TEST(External, AddsTheDriversOfASharedObject) {
  Registry registry;
  const std::size_t before = registry.all().size();
  registry.load(module("ramdisk"));
  ASSERT_NE(registry.find("ramdisk"), nullptr);
  EXPECT_EQ(registry.all().size(), before + 1);
  EXPECT_EQ(registry.all().back()->name, "ramdisk");

  registry.load(module("broken"));
  EXPECT_NE(registry.find("broken@wrong-tag"), nullptr);
  EXPECT_EQ(registry.all().size(), before + 15);
}

TEST(External, RunsALoadedDriver) {
  Registry registry;
  registry.load(module("ramdisk"));
  const File disk{.kind = FileKind::kDevice};
  const auto context = registry.find("ramdisk")->open({.depth = 4, .files = {&disk, 1}});
  std::byte written{0x5a}, read{};
  const Request requests[] = {
      {.tag = 1, .buffer = &written, .offset = 77, .length = 1, .opcode = Opcode::kWrite},
      {.tag = 2, .buffer = &read, .offset = 77, .length = 1, .opcode = Opcode::kRead}};
  ASSERT_EQ(context->submit(requests).accepted, 2u);
  Completion completions[2];
  ASSERT_EQ(context->reap(completions, 2, Deadline::never()).count, 2u);
  EXPECT_EQ(read, std::byte{0x5a});
  EXPECT_THROW(registry.find("ramdisk")->open({.depth = 0}), SetupError);
}

TEST(External, RefusesAnObjectTwice) {
  Registry registry;
  registry.load(module("ramdisk"));
  EXPECT_NE(refusal_of(registry, module("ramdisk")).find("ramdisk already"), std::string::npos);
  EXPECT_NE(registry.find("ramdisk"), nullptr);
}

TEST(External, TakesAPlainNameFromTheWorkingDirectory) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(AIOSCOPE_MODULES);
  Registry registry;
  const std::string refusal = refusal_of(registry, "ramdisk.so");
  std::filesystem::current_path(before);
  EXPECT_EQ(refusal, "");
}

TEST(External, RefusesWhatIsNoSharedObject) {
  Registry registry;
  const std::string text = std::string(testing::TempDir()) + "/not-an-object.so";
  std::ofstream(text) << "not an ELF file";
  EXPECT_NE(refusal_of(registry, "/nowhere/at-all.so").find("no such file"), std::string::npos);
  EXPECT_NE(refusal_of(registry, "").find("no such file"), std::string::npos);
  EXPECT_NE(refusal_of(registry, "/tmp").find("is a directory"), std::string::npos);
  EXPECT_NE(refusal_of(registry, text).find("cannot be loaded"), std::string::npos);
  std::remove(text.c_str());
}

struct Rejected {
  const char* module;
  const char* because;
};
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest looks for this name.
void PrintTo(const Rejected& rejected, std::ostream* out) { *out << rejected.module; }

class ExternalRejected : public testing::TestWithParam<Rejected> {};

TEST_P(ExternalRejected, SaysWhyAndAddsNothing) {
  Registry registry;
  const std::size_t before = registry.all().size();
  const std::string refusal = refusal_of(registry, module(GetParam().module));
  EXPECT_NE(refusal.find(GetParam().because), std::string::npos) << refusal;
  EXPECT_NE(refusal.find(GetParam().module), std::string::npos) << "does not name the file";
  EXPECT_NE(refusal.find("; "), std::string::npos) << "names no cure: " << refusal;
  EXPECT_EQ(refusal.find('\n'), std::string::npos) << refusal;
  EXPECT_EQ(registry.all().size(), before);
}

INSTANTIATE_TEST_SUITE_P(
    Loader, ExternalRejected,
    testing::Values(Rejected{"rejected-wrong-version", "of the driver ABI, this is version"},
                    Rejected{"rejected-wrong-size", "sizes of Driver, Request"},
                    Rejected{"rejected-no-symbol", "no symbol aioscope_external_drivers"},
                    Rejected{"rejected-returns-null", "returned null"},
                    Rejected{"rejected-no-rows", "exports no drivers"},
                    Rejected{"rejected-null-rows", "exports no drivers"},
                    Rejected{"rejected-name-taken", "a driver named null already"},
                    Rejected{"rejected-name-is-alias", "a driver named kioctx already"},
                    Rejected{"rejected-name-twice", "a driver named newcomer already"},
                    Rejected{"rejected-bad-name", "'new/comer' is not a driver's name"},
                    Rejected{"rejected-no-open", "newcomer has no open function"},
                    Rejected{"rejected-no-probe", "newcomer has no probe function"},
                    Rejected{"rejected-can-nothing", "newcomer declares that it can do nothing"}),
    [](const auto& row) {
      std::string name = row.param.module;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

}  // namespace
}  // namespace aioscope
