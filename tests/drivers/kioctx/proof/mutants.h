// Stages with a bug put back. Instantiated in mutants.cpp, for these tests alone.
#pragma once

#include "drivers/kioctx/kioctx.h"

namespace aioscope::kioctx {

constexpr Stage with_bug(Stage stage, Mutation mutation) {
  stage.mutation = mutation;
  return stage;
}

inline constexpr Stage kNoHeadClampStage = with_bug(kStageSeries, Mutation::kNoHeadClamp);
inline constexpr Stage kNoReadBarrierStage = with_bug(kStageSeries, Mutation::kNoReadBarrier);
inline constexpr Stage kSlotAtCompletionStage = with_bug(kStageSeries, Mutation::kSlotAtCompletion);
inline constexpr Stage kMainlineSlotAtCompletionStage =
    with_bug(kStageMainline, Mutation::kSlotAtCompletion);
inline constexpr Stage kMissingGetStage =
    with_bug(without(kStageSeries, &Stage::percpu_refcount), Mutation::kMissingGet);
inline constexpr Stage kTimerForZeroStage = with_bug(kStageSeries, Mutation::kTimerForZero);
inline constexpr Stage kGetOfTheDeadStage = with_bug(kStageMainline, Mutation::kGetOfTheDead);
inline constexpr Stage kNoWakeNoEventStage = with_bug(kStageSeries, Mutation::kNoWakeNoEvent);
inline constexpr Stage kStaleMinNrStage = with_bug(kStageMainline, Mutation::kStaleMinNr);
inline constexpr Stage kWakeBeforePostStage = with_bug(kStageSeries, Mutation::kWakeBeforePost);
// lazy-cancel: completions have left ctx_lock, submitters still count under it.
inline constexpr Stage kLazyCancelStage = stage_with_patches(7);
inline constexpr Stage kRingBeforeActiveStage =
    with_bug(kLazyCancelStage, Mutation::kRingBeforeActive);
// mainline as it was before its end waited for the requests themselves.
inline constexpr Stage kSlotsTellTheEndStage = without(kStageMainline, &Stage::reqs_refcount);
// mainline as it was before completions found out what the user has reaped.
inline constexpr Stage kSlotsByReapersStage = without(kStageMainline, &Stage::slots_at_completion);

}  // namespace aioscope::kioctx
