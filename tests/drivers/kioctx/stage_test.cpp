#include "drivers/kioctx/stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "drivers/kioctx/stage_text.h"

namespace aioscope::kioctx {
namespace {

int patches_in(const Stage& stage) {
  return int(std::ranges::count_if(kPatches, [&](const Patch& p) { return stage.*p.adds; }));
}

TEST(Stages, AreCumulativeInTheOrderOfTheSeries) {
  EXPECT_EQ(kStages[0].stage, Stage{});
  for (std::size_t i = 1; i < kSeriesStages; ++i) {
    Stage before = kStages[i - 1].stage;
    const Patch& patch = kPatches[i - 1];
    EXPECT_FALSE(before.*patch.adds) << kStages[i].name;
    before.*patch.adds = true;
    EXPECT_EQ(before, kStages[i].stage) << kStages[i].name << " is not one patch more";
    EXPECT_EQ(kStages[i].subject, patch.subject);
    if (i + 1 < kSeriesStages) {
      EXPECT_EQ(kStages[i].name, patch.stage);
    }
  }
  EXPECT_EQ(kStages[kSeriesStages - 1].name, "series");
  EXPECT_EQ(patches_in(kStages[kSeriesStages - 1].stage), int(kPatches.size()));
}

TEST(Stages, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const NamedStage& stage : kStages) {
    EXPECT_TRUE(names.insert(stage.name).second) << stage.name;
    EXPECT_FALSE(stage.summary.empty()) << stage.name;
    EXPECT_EQ(stage.stage.mutation, Mutation::kNone) << "bugs are for tests";
  }
}

TEST(Stages, LeftOutIsOnePatch) {
  constexpr std::string_view kPrefix = "series-without-";
  int found = 0;
  for (const NamedStage& stage : kStages) {
    if (!stage.name.starts_with(kPrefix)) continue;
    ++found;
    const auto* patch =
        std::ranges::find(kPatches, stage.name.substr(kPrefix.size()), &Patch::stage);
    ASSERT_NE(patch, kPatches.end()) << stage.name;
    Stage with = stage.stage;
    EXPECT_FALSE(with.*(patch->adds)) << stage.name;
    with.*(patch->adds) = true;
    EXPECT_EQ(with, kStageSeries) << stage.name;
  }
  EXPECT_EQ(found, 6);
}

std::string text_of(std::string_view stage, std::string_view heading) {
  const auto* named = std::ranges::find(kStages, stage, &NamedStage::name);
  for (const StageNote& note : describe(*named)) {
    if (note.heading == heading) return note.text;
  }
  return {};
}

// A patch of the series that cannot be told from the words would not help who reads them; the two
// that only move fields are the exception.
TEST(StageText, TellsEachPatchFromTheOneBefore) {
  for (std::size_t i = 1; i < kSeriesStages; ++i) {
    const std::string_view name = kStages[i].name;
    if (name == "slot-before-file" || name == "flat-ring" || name == "own-cachelines") continue;
    auto before = describe(kStages[i - 1]);
    auto after = describe(kStages[i]);
    std::erase_if(before, [](const StageNote& n) { return n.heading == "patch"; });
    std::erase_if(after, [](const StageNote& n) { return n.heading == "patch"; });
    int differ = 0;
    for (std::size_t at = 1; at < after.size(); ++at) differ += after[at].text != before[at].text;
    EXPECT_GE(differ, 1) << name;
  }
}

TEST(StageText, SaysWhatTheLockTestsCount) {
  EXPECT_NE(text_of("v3.7", "submit").find("ctx_lock 3 times"), std::string::npos);
  EXPECT_NE(text_of("series", "submit").find("no lock"), std::string::npos);
  EXPECT_NE(text_of("series", "find").find("no shared line"), std::string::npos);
  EXPECT_EQ(text_of("series", "patch"), kPatches.back().subject);
  EXPECT_EQ(text_of("mainline", "patch"), "");
}

}  // namespace
}  // namespace aioscope::kioctx
