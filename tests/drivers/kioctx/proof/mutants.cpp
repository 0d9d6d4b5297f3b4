#include "tests/drivers/kioctx/proof/mutants.h"

#include "drivers/kioctx/kioctx_calls.h"

namespace aioscope::kioctx {

template struct Aio<kNoHeadClampStage>;
template struct Aio<kNoReadBarrierStage>;
template struct Aio<kSlotAtCompletionStage>;
template struct Aio<kMainlineSlotAtCompletionStage>;
template struct Aio<kMissingGetStage>;
template struct Aio<kTimerForZeroStage>;
template struct Aio<kGetOfTheDeadStage>;
template struct Aio<kNoWakeNoEventStage>;
template struct Aio<kStaleMinNrStage>;
template struct Aio<kWakeBeforePostStage>;
template struct Aio<kRingBeforeActiveStage>;
template struct Aio<kSlotsTellTheEndStage>;
template struct Aio<kSlotsByReapersStage>;

}  // namespace aioscope::kioctx
