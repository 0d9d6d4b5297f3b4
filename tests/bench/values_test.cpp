#include "bench/values.h"

#include <gtest/gtest.h>

#include <functional>

namespace aioscope {
namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers numbers(const std::string& text, const Limits& limits = {.low = 0, .high = 100'000}) {
  return parse_numbers({&text, 1}, limits, 6);
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Values, ListsAndRangesExpandInOrderWithoutRepeats) {
  EXPECT_EQ(numbers("1,2,4"), (Numbers{1, 2, 4}));
  EXPECT_EQ(numbers("1..4"), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(numbers("1..256*2"), (Numbers{1, 2, 4, 8, 16, 32, 64, 128, 256}));
  EXPECT_EQ(numbers("1..100*10"), (Numbers{1, 10, 100}));
  EXPECT_EQ(numbers("0..64+16"), (Numbers{0, 16, 32, 48, 64}));
  EXPECT_EQ(numbers("3..3"), (Numbers{3}));
  EXPECT_EQ(numbers("8,1..8*2,2"), (Numbers{8, 1, 2, 4}));
  EXPECT_EQ(numbers("1,cpus"), (Numbers{1, 6}));
  EXPECT_EQ(numbers("4..cpus"), (Numbers{4, 5, 6}));
  const std::string occurrences[] = {"1,2", "7"};
  EXPECT_EQ(parse_numbers(occurrences, {}, 1), (Numbers{1, 2, 7}));
}

TEST(Values, BadListsAreRefusedWithTheValueInTheMessage) {
  EXPECT_EQ(error_of([] { numbers("4..1"); }),
            "'4..1' ends before it begins; write the smaller value first");
  EXPECT_EQ(error_of([] { numbers("1..8*1"); }), "'1..8*1' never ends; give a larger step");
  EXPECT_EQ(error_of([] { numbers("1..8+0"); }), "'1..8+0' never ends; give a larger step");
  EXPECT_EQ(error_of([] { numbers("0..8*2"); }), "'0..8*2' multiplies 0; begin with 1 or more");
  EXPECT_EQ(error_of([] { numbers("1,,2"); }), "'1,,2' has an empty item");
  EXPECT_EQ(error_of([] { numbers("1,"); }), "'1,' has an empty item");
  EXPECT_EQ(error_of([] { numbers(""); }), "'' has an empty item");
  EXPECT_EQ(error_of([] { numbers("1..100000"); }),
            "'1..100000' has more than 4096 values; give a larger step");
  EXPECT_EQ(error_of([] { numbers("1.."); }), "'' is not a whole number");
  EXPECT_EQ(error_of([] { numbers("4x"); }), "'4x' is not a whole number");
  EXPECT_EQ(error_of([] { numbers("0,4", {.low = 1, .high = 64}); }),
            "'0' is out of range; from 1 to 64");
}

TEST(Values, SuffixesAreBinaryForSizesAndDecimalForCounts) {
  const Limits bytes{.suffix = Suffix::kBytes};
  EXPECT_EQ(parse_number("512", bytes), 512u);
  EXPECT_EQ(parse_number("4k", bytes), 4096u);
  EXPECT_EQ(parse_number("4K", bytes), 4096u);
  EXPECT_EQ(parse_number("4Ki", bytes), 4096u);
  EXPECT_EQ(parse_number("4KiB", bytes), 4096u);
  EXPECT_EQ(parse_number("2M", bytes), 2u << 20);
  EXPECT_EQ(parse_number("1G", bytes), 1u << 30);
  EXPECT_EQ(parse_number("100k", {}), 100'000u);
  EXPECT_EQ(parse_number("100Ki", {}), 102'400u);
  for (const char* bad : {"", "k", "4kk", "4q", "-", "1.5", "4 k", "0x10"}) {
    EXPECT_THROW(parse_number(bad, bytes), UsageError) << bad;
  }
}

TEST(Values, NumbersThatDoNotFitAreOutOfRangeRatherThanWrapped) {
  EXPECT_EQ(error_of([] { parse_number("18446744073709551616", {.high = 9}); }),
            "'18446744073709551616' is out of range; from 0 to 9");
  EXPECT_EQ(error_of([] { parse_number("18446744073709551615k", {.high = 9}); }),
            "'18446744073709551615k' is out of range; from 0 to 9");
  EXPECT_EQ(error_of([] { parse_number("-1", {.low = 1, .high = 9}); }),
            "'-1' is out of range; from 1 to 9");
  EXPECT_EQ(
      error_of([] { parse_number("1G", {.low = 1, .high = 16 << 20, .suffix = Suffix::kBytes}); }),
      "'1G' is out of range; from 1 to 16 MiB");
}

TEST(Values, Durations) {
  constexpr std::int64_t kHour = 3'600'000'000'000;
  const auto ns = [](const char* text) { return parse_duration(text, 0, kHour); };
  EXPECT_EQ(ns("500ms"), 500'000'000);
  EXPECT_EQ(ns("2s"), 2'000'000'000);
  EXPECT_EQ(ns("2"), 2'000'000'000);
  EXPECT_EQ(ns("0.25"), 250'000'000);
  EXPECT_EQ(ns("1.5m"), 90'000'000'000);
  EXPECT_EQ(ns("1h"), kHour);
  EXPECT_EQ(ns("100us"), 100'000);
  for (const char* bad : {"", "s", "1d", "1 s", "nan", "inf", "1s2"}) {
    EXPECT_THROW(ns(bad), UsageError) << bad;
  }
  EXPECT_EQ(error_of([] { parse_duration("2h", 10'000'000, kHour); }),
            "'2h' is out of range; from 10 ms to 1 h");
}

TEST(Values, DurationTextIsShort) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(20), "20 ns");
  EXPECT_EQ(duration_text(100'000), "100 us");
  EXPECT_EQ(duration_text(500'000'000), "500 ms");
  EXPECT_EQ(duration_text(1'500'000'000), "1.5 s");
  EXPECT_EQ(duration_text(125'000'000'000), "2 m 5 s");
  EXPECT_EQ(duration_text(7'200'000'000'000), "2 h");
}

TEST(Values, RealNumbers) {
  EXPECT_DOUBLE_EQ(parse_real("1.5", 0, 10), 1.5);
  EXPECT_DOUBLE_EQ(parse_real("100k", 0, 1e9), 1e5);
  EXPECT_EQ(error_of([] { parse_real("11", 0, 10); }), "'11' is out of range; from 0 to 10");
  EXPECT_EQ(error_of([] { parse_real("nan", 0, 10); }), "'nan' is not a number");
}

}  // namespace
}  // namespace aioscope
