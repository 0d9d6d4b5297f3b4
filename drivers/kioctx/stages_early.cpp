// The stages from v3.7 to lazy-cancel.
#include "drivers/kioctx/kioctx_calls.h"

namespace aioscope::kioctx {

template struct Aio<kStages[0].stage>;
template struct Aio<kStages[1].stage>;
template struct Aio<kStages[2].stage>;
template struct Aio<kStages[3].stage>;
template struct Aio<kStages[4].stage>;
template struct Aio<kStages[5].stage>;
template struct Aio<kStages[6].stage>;
template struct Aio<kStages[7].stage>;

}  // namespace aioscope::kioctx
