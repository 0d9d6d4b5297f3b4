// What a context's own fields say, for contexts that nobody uses meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "drivers/kioctx/kioctx.h"

namespace aioscope::kioctx {

// Slots of the context that no request and no event holds, wherever they are counted. `index` is
// the stage's, in kStages. All events must have been reaped.
std::int64_t free_slots(std::size_t index, AioContextId id);

}  // namespace aioscope::kioctx
