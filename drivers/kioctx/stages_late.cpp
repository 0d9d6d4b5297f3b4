// The stages from active-until-reaped to series.
#include "drivers/kioctx/kioctx_calls.h"

namespace aioscope::kioctx {

template struct Aio<kStages[8].stage>;
template struct Aio<kStages[9].stage>;
template struct Aio<kStages[10].stage>;
template struct Aio<kStages[11].stage>;
template struct Aio<kStages[12].stage>;
template struct Aio<kStages[13].stage>;
template struct Aio<kStages[14].stage>;
template struct Aio<kStages[15].stage>;

}  // namespace aioscope::kioctx
