// What `run --dry-run` prints.
#pragma once

#include <string>

#include "bench/plan.h"

namespace aioscope {

// A line per row (rows that only price the harness are marked so, skipped ones have their reason),
// and how long it takes.
std::string dry_run_text(const Plan& plan);

}  // namespace aioscope
