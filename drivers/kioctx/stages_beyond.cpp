// What came after the series, and the series with one patch left out.
#include <type_traits>

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
// kStages[24], the series without its last patch, is kStages[14].
static_assert(std::is_same_v<Aio<kStages[24].stage>, Aio<kStages[14].stage>>);

}  // namespace aioscope::kioctx
