#include "bench/progress.h"

#include <gtest/gtest.h>

#include <utility>

namespace aioscope {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct Screen {
  std::string text;
  std::int64_t now_ns = 5 * kSecond;

  ProgressOutput output(bool live, bool quiet = false, std::size_t width = 200) {
    return {.write = [this](std::string_view more) { text += more; },
            .now_ns = [this] { return now_ns; },
            .live = live,
            .width = width,
            .quiet = quiet};
  }
  std::string take() { return std::exchange(text, ""); }
};

TEST(Progress, ATerminalHasOneLineWrittenOver) {
  Screen screen;
  Progress progress(screen.output(true), 4, 2 * kSecond);
  progress.begin("libaio/shared");
  EXPECT_EQ(screen.take(), "\r\033[K[0/4] 8 s left       - op/s  libaio/shared");
  screen.now_ns += kSecond;
  progress.update(500'000'000, 617'000);
  EXPECT_EQ(screen.take(), "\r\033[K[0/4] 7 s left  1.23 M op/s  libaio/shared");
  progress.finish();
  EXPECT_EQ(screen.take(), "\r\033[K");
}

TEST(Progress, TheTimeLeftFollowsWhatItemsReallyTook) {
  Screen screen;
  Progress progress(screen.output(true), 4, 2 * kSecond);
  progress.begin("a");
  screen.now_ns += 10 * kSecond;  // five times the plan
  progress.end(1);
  progress.begin("b");
  screen.take();
  progress.update(1, 0);
  EXPECT_NE(screen.take().find("[1/4] 30 s left"), std::string::npos);
  screen.now_ns += 4 * kSecond;
  progress.update(1, 0);
  EXPECT_NE(screen.take().find("[1/4] 26 s left"), std::string::npos);
}

TEST(Progress, ALongNameIsCutToTheTerminal) {
  Screen screen;
  Progress progress(screen.output(true, false, 30), 1, kSecond);
  progress.begin(std::string(100, 'x'));
  EXPECT_EQ(screen.take().size(), std::string("\r\033[K").size() + 29);
}

TEST(Progress, ElsewhereThereIsAPlainLineEveryFewSecondsAndAtTheEnd) {
  Screen screen;
  Progress progress(screen.output(false), 5, kSecond);
  std::string lines;
  for (int i = 0; i < 5; ++i) {
    progress.begin("row");
    EXPECT_EQ(screen.text, "");
    progress.update(1, 1);
    EXPECT_EQ(screen.text, "");
    screen.now_ns += kSecond;
    progress.end(2'000);
    lines += screen.take();
  }
  EXPECT_EQ(lines,
            "[2/5] 3 s left  2.00 k op/s  row\n"
            "[4/5] 1 s left  2.00 k op/s  row\n"
            "[5/5] 0 s left  2.00 k op/s  row\n");
}

TEST(Progress, AMessageHasALineOfItsOwn) {
  Screen screen;
  Progress progress(screen.output(true), 1, kSecond);
  progress.begin("row");
  screen.take();
  progress.message("skipped");
  EXPECT_EQ(screen.take(), "\r\033[Kskipped\n");
}

TEST(Progress, QuietLeavesOnlyMessages) {
  for (const bool live : {false, true}) {
    Screen screen;
    Progress progress(screen.output(live, true), 1, kSecond);
    progress.begin("row");
    progress.update(1, 1);
    progress.end(1);
    progress.finish();
    EXPECT_EQ(screen.take(), "");
    progress.message("wrong");
    EXPECT_EQ(screen.take(), "wrong\n");
  }
}

TEST(Progress, RatesHaveThreeDigits) {
  EXPECT_EQ(rate_text(0), "0.00");
  EXPECT_EQ(rate_text(12.34), "12.3");
  EXPECT_EQ(rate_text(999.6), "1.00 k");
  EXPECT_EQ(rate_text(123'456), "123 k");
  EXPECT_EQ(rate_text(45.6e6), "45.6 M");
  EXPECT_EQ(rate_text(1.5e9), "1.50 G");
}

}  // namespace
}  // namespace aioscope
