#include "bench/text_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

// A reader would wait for the other end of a pipe, and for what some files of /proc have to say.
TEST(TextFile, IsARegularFileWithSomethingInIt) {
  const FakeRoot root;
  root.write("text", "a\nb\n");
  root.write("empty", "");
  const std::string pipe = root.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_text_file(root.path() / "text"), "a\nb\n");
  EXPECT_EQ(read_text_file(root.path() / "empty"), std::nullopt);
  EXPECT_EQ(read_text_file(root.path() / "none"), std::nullopt);
  EXPECT_EQ(read_text_file(root.path()), std::nullopt);
  EXPECT_EQ(read_text_file(pipe), std::nullopt);
  EXPECT_EQ(read_text_file("/proc/self/status"), std::nullopt);
}

}  // namespace
}  // namespace aioscope
