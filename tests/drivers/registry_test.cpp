#include "drivers/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace aioscope {
namespace {

TEST(Registry, FindsEveryRowUnderItsName) {
  const Registry registry;
  for (const char* name :
       {"null", "sync", "libaio", "libaio@user-reap", "libaio@eventfd", "io_uring",
        "io_uring@one-lock", "io_uring@sqpoll", "io_uring@registered"}) {
    const Driver* driver = registry.find(name);
    ASSERT_NE(driver, nullptr) << name;
    EXPECT_EQ(driver->name, name);
  }
}

TEST(Registry, ListsEachRowOnceAndCompletely) {
  const Registry registry;
  std::set<std::string_view> names;
  for (const Driver* driver : registry.all()) {
    EXPECT_TRUE(names.insert(driver->name).second) << driver->name << " is there twice";
    EXPECT_EQ(registry.find(driver->name), driver);
    EXPECT_EQ(Registry::alias_target(driver->name), "");
    EXPECT_FALSE(driver->summary.empty()) << driver->name;
    EXPECT_NE(driver->probe, nullptr) << driver->name;
    EXPECT_NE(driver->open, nullptr) << driver->name;
  }
}

TEST(Registry, DoesNotGuessNames) {
  const Registry registry;
  for (const char* name : {"", "libai", "LIBAIO", "libaio@", "io_uring@user-reap"}) {
    EXPECT_EQ(registry.find(name), nullptr) << name;
  }
}

TEST(Registry, AUsableRowHasNoReasonAndAnUnusableOneHasACure) {
  const Registry registry;
  for (const Driver* driver : registry.all()) {
    const Availability availability = driver->probe();
    EXPECT_EQ(availability.reason.empty(), availability.usable) << driver->name;
    EXPECT_EQ(availability.cure.empty(), availability.usable) << driver->name;
  }
}

}  // namespace
}  // namespace aioscope
