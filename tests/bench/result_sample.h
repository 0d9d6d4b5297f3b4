// A small run with one record of each kind.
#pragma once

#include <string>

#include "bench/result.h"

namespace aioscope {

RunDescription sample_run();
Measurement sample_measurement();
void write_sample(const std::string& path);

}  // namespace aioscope
