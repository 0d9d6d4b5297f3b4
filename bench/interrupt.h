// SIGINT and SIGTERM end a run in an orderly way.
#pragma once

#include <atomic>

namespace aioscope {

// From now on the first SIGINT or SIGTERM sets the flag returned; the second ends the process at
// once.
const std::atomic<bool>& catch_interrupts();

}  // namespace aioscope
