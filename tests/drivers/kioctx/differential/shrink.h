#pragma once

#include "tests/drivers/kioctx/differential/compare.h"

namespace aioscope::kioctx {

// A shorter sequence that still differs: without calls, then without requests, that do not matter.
Sequence shrink(Sequence sequence, Rules rules, World& kernel, World& ours);

}  // namespace aioscope::kioctx
