#include "bench/workload/pattern.h"

#include <gtest/gtest.h>

#include <vector>

namespace aioscope {
namespace {

TEST(Pattern, EveryChangedByteIsSeen) {
  std::vector<std::byte> block(1024);
  fill_pattern(block, 4096, 3);
  EXPECT_TRUE(check_pattern(block, 4096));
  for (std::size_t i = 0; i < block.size(); ++i) {
    block[i] ^= std::byte{1};
    EXPECT_FALSE(check_pattern(block, 4096)) << i;
    block[i] ^= std::byte{1};
  }
}

TEST(Pattern, MisplacedTornAndStaleBlocksAreSeen) {
  std::vector<std::byte> block(1024);
  fill_pattern(block, 4096, 3);
  EXPECT_FALSE(check_pattern(block, 8192));
  EXPECT_TRUE(check_pattern_generation(block, 4096, 3));
  EXPECT_FALSE(check_pattern_generation(block, 4096, 4));
  // Half of an older write: each sector is whole, so that only the generation tells.
  fill_pattern(std::span(block).first(512), 4096, 2);
  EXPECT_TRUE(check_pattern(block, 4096));
  EXPECT_FALSE(check_pattern_generation(block, 4096, 3));
}

TEST(Pattern, ZeroMeansEveryByte) {
  std::vector<std::byte> block(512);
  EXPECT_TRUE(all_zero(block));
  block[511] = std::byte{1};
  EXPECT_FALSE(all_zero(block));
}

}  // namespace
}  // namespace aioscope
