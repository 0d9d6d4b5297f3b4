#include "bench/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace aioscope {
namespace {

const std::vector<std::string> kDrivers{"null", "libaio", "io_uring", "io_uring@sqpoll"};

TEST(Suggest, NearWordsAreFoundByInsertDeleteReplaceAndSwap) {
  EXPECT_EQ(nearest_word("libao", kDrivers), "libaio");
  EXPECT_EQ(nearest_word("libaaio", kDrivers), "libaio");
  EXPECT_EQ(nearest_word("libaip", kDrivers), "libaio");
  EXPECT_EQ(nearest_word("liabio", kDrivers), "libaio");
  EXPECT_EQ(nearest_word("io_urign", kDrivers), "io_uring");
}

TEST(Suggest, ABeginningIsMeant) { EXPECT_EQ(nearest_word("io_", kDrivers), "io_uring"); }

TEST(Suggest, NothingFarAwayIsSuggested) {
  EXPECT_EQ(nearest_word("spdk", kDrivers), "");
  EXPECT_EQ(nearest_word("x", kDrivers), "");
  EXPECT_EQ(suggestion("spdk", kDrivers), "; known: null, libaio, io_uring, io_uring@sqpoll");
  EXPECT_EQ(suggestion("libao", kDrivers), "; did you mean 'libaio'?");
}

}  // namespace
}  // namespace aioscope
