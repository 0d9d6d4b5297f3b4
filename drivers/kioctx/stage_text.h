// A stage in words: which locks and shared lines each path of it has.
#pragma once

#include <string>
#include <vector>

#include "drivers/kioctx/stage.h"

namespace aioscope::kioctx {

struct StageNote {
  std::string heading;  // "submit"
  std::string text;     // one line
};

// The patch, what it changes, and the paths: find, submit, complete, reap, wait, cancel, end. What
// is said of the paths follows from the switches of the stage.
std::vector<StageNote> describe(const NamedStage& named);

}  // namespace aioscope::kioctx
