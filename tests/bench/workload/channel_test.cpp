#include "bench/workload/channel.h"

#include <gtest/gtest.h>

#include <thread>

#include "bench/workload/parker.h"

namespace aioscope {
namespace {

TEST(ChannelSpsc, NothingIsSeenBeforeItIsPublished) {
  ChannelSpsc channel(4);
  EXPECT_TRUE(channel.push(1));
  EXPECT_EQ(channel.drain([](std::uint64_t) { FAIL(); }), 0u);
  EXPECT_EQ(channel.publish(), 1u);
  std::uint64_t seen = 0;
  EXPECT_EQ(channel.drain([&](std::uint64_t word) { seen = word; }), 1u);
  EXPECT_EQ(seen, 1u);
  EXPECT_EQ(channel.publish(), 0u);
}

TEST(ChannelSpsc, FullRefusesAndEmptyTakesAgain) {
  ChannelSpsc channel(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(channel.push(i));
  EXPECT_FALSE(channel.push(4));
  EXPECT_EQ(channel.publish(), 4u);
  EXPECT_EQ(channel.waiting(), 4u);
  EXPECT_EQ(channel.drain([](std::uint64_t) {}), 4u);
  EXPECT_TRUE(channel.push(5));
}

// Sleeper and waker over a channel: every word arrives, in order, and no wake-up is lost. A lost
// one would cost the whole time-out each time and fail by the number of time-outs.
TEST(ChannelSpsc, WordsArriveInOrderAndSleepersAreWoken) {
  constexpr std::uint64_t kWords = 200'000;
  constexpr std::int64_t kTimeoutNs = 5'000'000'000;
  ChannelSpsc channel(64);
  ChannelSpsc echo(64);
  Parker consumer_parker;
  std::thread consumer([&] {
    for (std::uint64_t expected = 0; expected < kWords;) {
      if (channel.drain([&](std::uint64_t word) {
            ASSERT_EQ(word, expected++);
            ASSERT_TRUE(echo.push(word));
          }) > 0) {
        echo.publish();
        continue;
      }
      consumer_parker.prepare();
      if (channel.waiting() > 0) {
        consumer_parker.cancel();
      } else {
        consumer_parker.park(kTimeoutNs);
      }
    }
  });
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t returned = 0;
  for (std::uint64_t sent = 0; returned < kWords;) {
    while (sent < kWords && sent - returned < 64 && channel.push(sent)) ++sent;
    if (channel.publish() > 0) consumer_parker.wake();
    returned += echo.drain([](std::uint64_t) {});
  }
  consumer.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::nanoseconds(kTimeoutNs));
}

}  // namespace
}  // namespace aioscope
