#include "bench/measure/symbols/elf_functions.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/bench/fake_root.h"
#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

std::string own_image() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

std::span<const std::byte> as_image(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(ElfFunctions, ReadsAFileAndAnImageAlike) {
  const ElfFunctions from_file = ElfFunctions::read("/proc/self/exe");
  EXPECT_EQ(from_file.reason(), "");
  EXPECT_GT(from_file.size(), 100u);
  const std::string image = own_image();
  EXPECT_EQ(ElfFunctions::parse(as_image(image)).size(), from_file.size());
}

TEST(ElfFunctions, FindsNothingOutsideOfTheCode) {
  const ElfFunctions functions = ElfFunctions::read("/proc/self/exe");
  EXPECT_EQ(functions.find(0).name, "");  // the ELF header
  EXPECT_EQ(functions.find(UINT64_MAX).name, "");
}

TEST(ElfFunctions, SaysWhyThereAreNone) {
  const FakeRoot root;
  const auto reason_of = [&](const std::string& name) {
    return ElfFunctions::read(root.path() / name).reason();
  };
  EXPECT_NE(reason_of("missing").find("No such file"), std::string::npos);
  root.write("text", "not an ELF file at all, but longer than a header of one would be.....");
  EXPECT_NE(reason_of("text").find("not an ELF file"), std::string::npos) << reason_of("text");
  root.write("empty", "");
  EXPECT_NE(reason_of("empty"), "");
  const std::string header = own_image().substr(0, 64);  // whose tables are cut off
  root.write("short", header);
  EXPECT_NE(reason_of("short"), "");
  EXPECT_EQ(ElfFunctions::without("gone").reason(), "gone");
}

// Tables that point anywhere: the header, the program headers and the section headers are mutated.
TEST(ElfFunctions, SurvivesMutants) {
  const FakeRoot root;
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string header(512, '\0');
  file.read(header.data(), 512);
  const std::string image = own_image();
  for_each_mutant(header, 60, [&](const std::string& mutant) {
    std::string whole = image;
    whole.replace(0, std::min(mutant.size(), header.size()), mutant, 0, header.size());
    const ElfFunctions functions = ElfFunctions::parse(as_image(whole));
    ASSERT_EQ(functions.reason().empty(), functions.size() > 0);
    functions.find(0x1000);
  });
}

}  // namespace
}  // namespace aioscope
