#include "bench/driver_selection.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/values.h"

namespace aioscope {
namespace {

using Names = std::vector<std::string>;

Names select(const Names& patterns) {
  Registry registry;
  Names names;
  for (const Driver* driver : DriverSelection(registry).select(patterns)) {
    names.emplace_back(driver->name);
  }
  return names;
}

std::string error_of(const std::string& pattern) {
  try {
    select({pattern});
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(DriverSelection, NamesKeepTheirOrderAndComeOnce) {
  EXPECT_EQ(select({"libaio", "null", "libaio"}), (Names{"libaio", "null"}));
}

TEST(DriverSelection, AGlobTakesAllThatMatch) {
  EXPECT_EQ(select({"libaio@*"}), (Names{"libaio@user-reap", "libaio@eventfd"}));
  EXPECT_EQ(select({"nul?"}), (Names{"null"}));
}

TEST(DriverSelection, AllIsTheDefaultOfEachDriver) {
  const Names defaults = select({"all"});
  EXPECT_NE(std::ranges::find(defaults, "libaio"), defaults.end());
  EXPECT_EQ(std::ranges::find(defaults, "libaio@user-reap"), defaults.end());
  const Names everything = select({"all-variants"});
  EXPECT_NE(std::ranges::find(everything, "libaio@user-reap"), everything.end());
  EXPECT_GT(everything.size(), defaults.size());
}

TEST(DriverSelection, UnknownNamesGetASuggestion) {
  EXPECT_EQ(error_of("libaoi"),
            "unknown driver 'libaoi'; did you mean 'libaio'?; see 'aioscope list drivers'");
  EXPECT_NE(error_of("spdk@*").find("unknown driver 'spdk@*'; known: null, "), std::string::npos);
}

TEST(DriverSelection, APathIsASharedObject) {
  EXPECT_NE(error_of("./no_such_driver.so").find("no_such_driver.so"), std::string::npos);
}

}  // namespace
}  // namespace aioscope
