// SIGINT, SIGTERM and SIGHUP end a run in an orderly way.
#pragma once

#include <atomic>

namespace aioscope {

// From now on the first of these signals sets the flag returned; the second ends the process at
// once. One that is ignored, as SIGHUP under nohup, stays so.
const std::atomic<bool>& catch_interrupts();

}  // namespace aioscope
