#include "bench/measure/symbols/maps.h"

#include <gtest/gtest.h>

#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

constexpr std::string_view kMaps =
    "55d0c8a00000-55d0c8a02000 r--p 00000000 fe:00 1234                       /usr/bin/aio scope\n"
    "55d0c8a02000-55d0c8a21000 r-xp 00002000 fe:00 1234                       /usr/bin/aio scope\n"
    "55d0c9000000-55d0c9021000 rw-p 00000000 00:00 0                          [heap]\n"
    "7f0000000000-7f0000100000 r-xp 00001000 fe:00 77                         /tmp/a\\012b.so "
    "(deleted)\n"
    "7f0000200000-7f0000201000 rw-p 00000000 00:00 0 \n"
    "7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]\n";

TEST(Maps, ReadsEveryField) {
  const auto maps = parse_maps(kMaps);
  ASSERT_EQ(maps.size(), 6u);
  EXPECT_EQ(maps[1].begin, 0x55d0c8a02000u);
  EXPECT_EQ(maps[1].end, 0x55d0c8a21000u);
  EXPECT_EQ(maps[1].offset, 0x2000u);
  EXPECT_TRUE(maps[1].executable);
  EXPECT_FALSE(maps[0].executable);
  EXPECT_EQ(maps[1].path, "/usr/bin/aio scope");
  EXPECT_FALSE(maps[1].deleted);
  EXPECT_EQ(maps[3].path, "/tmp/a\nb.so");
  EXPECT_TRUE(maps[3].deleted);
  EXPECT_EQ(maps[4].path, "");
  EXPECT_EQ(maps[5].path, "[vdso]");
}

TEST(Maps, FindsTheMappingOfAnAddress) {
  const auto maps = parse_maps(kMaps);
  EXPECT_EQ(find_mapping(maps, 0x55d0c89fffff), nullptr);
  EXPECT_EQ(find_mapping(maps, 0x55d0c8a00000), &maps[0]);
  EXPECT_EQ(find_mapping(maps, 0x55d0c8a02000), &maps[1]);
  EXPECT_EQ(find_mapping(maps, 0x55d0c8a20fff), &maps[1]);
  EXPECT_EQ(find_mapping(maps, 0x55d0c8a21000), nullptr);  // behind it
  EXPECT_EQ(find_mapping(maps, 0xffffffffffffffff), nullptr);
  EXPECT_EQ(find_mapping({}, 1), nullptr);
}

TEST(Maps, LeavesOutWhatIsNoMapping) {
  EXPECT_TRUE(parse_maps("").empty());
  EXPECT_TRUE(parse_maps("\n\n").empty());
  EXPECT_TRUE(parse_maps("1000-1000 r-xp 0 0:0 0 /empty\n").empty());
  EXPECT_TRUE(parse_maps("2000-1000 r-xp 0 0:0 0 /backwards\n").empty());
  EXPECT_TRUE(parse_maps("1000-2000 r-x 0 0:0 0 /permissions\n").empty());
  EXPECT_TRUE(parse_maps("1000-2000 r-xp zero 0:0 0 /offset\n").empty());
  EXPECT_TRUE(parse_maps("11112222333344445-2000 r-xp 0 0:0 0 /too/large\n").empty());
  EXPECT_EQ(parse_maps("1000-2000 r-xp 0 0:0 0 /without/newline").size(), 1u);
}

TEST(Maps, SurvivesMutants) {
  std::size_t found = 0;
  for_each_mutant(kMaps, 5000, [&](const std::string& text) {
    const auto maps = parse_maps(text);
    for (std::size_t i = 0; i < maps.size(); ++i) {
      ASSERT_LT(maps[i].begin, maps[i].end);
      ASSERT_LE(maps[i == 0 ? 0 : i - 1].begin, maps[i].begin);
    }
    const Mapping* mapping = find_mapping(maps, 0x55d0c8a02000);
    if (mapping != nullptr) {
      ASSERT_LE(mapping->begin, 0x55d0c8a02000u);
      ASSERT_GT(mapping->end, 0x55d0c8a02000u);
      ++found;
    }
  });
  EXPECT_GT(found, 1000u);  // most mutants leave that line alone
}

}  // namespace
}  // namespace aioscope
