// What came after the series, and the series with one patch left out.
#include "drivers/kioctx/kioctx_calls.h"

namespace aioscope::kioctx {

template struct Aio<kStages[16].stage>;
template struct Aio<kStages[17].stage>;
template struct Aio<kStages[18].stage>;
template struct Aio<kStages[19].stage>;
template struct Aio<kStages[20].stage>;
template struct Aio<kStages[21].stage>;
template struct Aio<kStages[22].stage>;
template struct Aio<kStages[23].stage>;
template struct Aio<kStages[24].stage>;

}  // namespace aioscope::kioctx
